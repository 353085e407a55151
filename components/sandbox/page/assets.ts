import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = join(dirname(fileURLToPath(import.meta.url)), "public");

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** Only these files are served. */
const files = new Set([
  ...["style.css", "icon.svg"],
  ...[
    "api.js",
    "app.js",
    "changes.js",
    "composer.js",
    "diff.js",
    "dom.js",
    "format.js",
    "header.js",
    "list.js",
    "model.js",
    "queue.js",
  ],
  ...["session.js", "transcript.js", "view.js"],
]);

/** Only the page's own scripts and styles are loaded, and only its server is contacted. No other page may frame it. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/** Headers of every response. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": contentSecurityPolicy,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

export interface Asset {
  readonly type: string;
  readonly content: Buffer;
}

/** @param path of the request, without its query. @returns undefined if there is no such file */
export async function assetAt(path: string): Promise<Asset | undefined> {
  const isPage = path === "/" || /^\/sessions\/[0-9a-f]{20}$/.test(path);
  const name = isPage ? "index.html" : path.slice(1);
  if (!isPage && !files.has(name)) return undefined;
  const content = await readFile(join(folder, name));
  return { type: types[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream", content };
}
