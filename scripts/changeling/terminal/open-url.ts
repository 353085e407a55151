import { rmSync } from "node:fs";
import { join } from "node:path";
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
  const isOpened = await opens(file);
  if (!isOpened) rmSync(file, { force: true });
  return isOpened;
}

async function opens(file: string): Promise<boolean> {
  const { default: open } = await import("open");
  const opener = await open(file).catch(() => undefined);
  if (opener === undefined || opener.exitCode !== null) return opener?.exitCode === 0;
  return new Promise((resolve) => {
    // The opener either exits at once, or it is the browser itself and keeps running.
    const timer = setTimeout(() => resolve(true), openedAfterMs);
    opener.once("exit", (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
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
