import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { writePrivateFile } from "../../../components/host/files.ts";
import type { InstallationPaths } from "../../../components/host/installation-paths.ts";

/**
 * Opens login URLs in the person's browser. They work once and for whoever has them, so none goes into an argument
 * list, which everybody on the machine can read: the browser opens a private file that leads to it.
 *
 * @returns false when this machine has nothing to open it with
 */
export async function openUrl({ forwarding }: InstallationPaths, name: string, url: string): Promise<boolean> {
  const file = join(forwarding, "open", `${name}.html`);
  writePrivateFile(file, redirectPage(url));
  const opener = process.platform === "darwin" ? "open" : "xdg-open";
  const child = spawn(opener, [pathToFileURL(file).href], { stdio: "ignore", detached: true });
  return new Promise((resolve) => {
    const settle = (isOpened: boolean) => {
      if (!isOpened) rmSync(file, { force: true });
      clearTimeout(timer);
      child.unref();
      resolve(isOpened);
    };
    // It ends at once, or it stays, as the browser itself.
    const timer = setTimeout(() => settle(true), openedAfterMs);
    child.once("error", () => settle(false));
    child.once("exit", (code) => settle(code === 0));
  });
}

const openedAfterMs = 3000;

export function redirectPage(url: string): string {
  const escaped = url.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  return `<!doctype html>
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url=${escaped}">
<title>Changelings</title>
<a href="${escaped}">Go on</a>
`;
}
