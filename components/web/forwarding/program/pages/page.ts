import { createHash } from "node:crypto";
import { Html, html } from "./html.ts";
import { scripts } from "./scripts.ts";
import { stylesheet } from "./stylesheet.ts";

/** A dot for each of two agents, the second one asleep. A data URL, because our pages load nothing. */
const icon =
  "data:image/svg+xml," +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1a7f37"/>' +
      '<circle cx="11" cy="16" r="4.5" fill="#fff"/><circle cx="22" cy="16" r="3" fill="#fff" opacity=".6"/></svg>',
  );

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

export const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src ${hash(stylesheet)}`,
  `script-src ${Object.values(scripts).map(hash).join(" ")}`,
  "connect-src 'self'",
  "img-src data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Headers of our own pages, which load nothing and can't be framed, cached or sniffed. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": contentSecurityPolicy,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
  // The URL of a login contains its code.
  "referrer-policy": "no-referrer",
};

interface Page {
  readonly title: string;
  readonly body: Html;
  /** At the right of the header. */
  readonly menu?: Html;
  /** The link in the header, if any: the main origin's `/`. */
  readonly home?: string;
  /** Reloads the page after this time. */
  readonly reloadAfterSeconds?: number;
  readonly script?: keyof typeof scripts;
}

/** @returns a whole HTML document, to be sent with `pageHeaders` */
export function page({ title, body, menu, home, reloadAfterSeconds, script }: Page): string {
  const chosen = script ?? (body.toString().includes('<div class="command">') ? "copy" : undefined);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${reloadAfterSeconds === undefined ? "" : html`<meta http-equiv="refresh" content="${reloadAfterSeconds}">`}
<title>${title}</title>
<link rel="icon" href="${icon}">
<style>${new Html(stylesheet)}</style>
</head>
<body>
<header>${home === undefined ? html`<b>Changelings</b>` : html`<a href="${home}">Changelings</a>`}${menu ?? ""}</header>
<main>
<h1>${title}</h1>
${body}
</main>
${chosen === undefined ? "" : html`<script>${new Html(scripts[chosen])}</script>`}
</body>
</html>
`.toString();
}

export const needsScript = html`<p class="soft">One moment.</p>
<noscript><p>This page needs JavaScript, because another program on this machine could have collected the cookie.</p></noscript>`;
