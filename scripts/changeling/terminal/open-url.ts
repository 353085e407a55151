import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { writePrivateFile } from "../../../components/host/files.ts";

/**
 * Opens login URLs in the user's browser. They work once, for anyone who has them, so they must not appear in an
 * argument list, which every user of the machine can read. The browser opens a private file that redirects to the URL
 * instead.
 *
 * @param folder the server's, where the file is kept
 * @returns false if this machine has no program to open it with
 */
export async function openUrl(folder: string, name: string, url: string): Promise<boolean> {
  const file = join(folder, "open", `${name}.html`);
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
    // The opener either exits at once, or it is the browser itself and keeps running.
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
