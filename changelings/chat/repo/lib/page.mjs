// @ts-check
import { readFileSync } from "node:fs";
import { piecesOf } from "../public/format.js";

/** @typedef {import("./journal.mjs").Message} Message */

const STYLE = readFileSync(new URL("../public/style.css", import.meta.url), "utf8");

/** Text that is already HTML. */
class Html {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/** @typedef {string | number | Html | readonly Html[]} Value */

/**
 * Builds HTML and escapes every value that is not HTML itself. A page is built in no other way.
 * @param {TemplateStringsArray} parts
 * @param {...Value} values
 */
export function html(parts, ...values) {
  return new Html(String.raw({ raw: parts }, ...values.map(escaped)));
}

/** @param {Value} value @returns {string} */
function escaped(value) {
  if (value instanceof Html) return value.text;
  if (typeof value === "object") return value.map(escaped).join("");
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const NOTHING = html``;

/** The forwarding server's list of agents, with a way to log out. */
const HOME = "/__changelings/";

/**
 * @param {{ name: string, isForwarded: boolean }} site `isForwarded`: users come through the forwarding server
 * @param {{ messages: readonly Message[], hasOlder: boolean }} shown
 * @param {boolean} isPast true if it does not end with the latest message
 */
export function indexPage({ name, isForwarded }, { messages, hasOlder }, isPast) {
  const head = html`<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
${isPast ? NOTHING : html`<script type="module" src="/app.js"></script>`}`;
  const older = hasOlder ? html`<a class="page" href="/?before=${messages[0]?.id ?? 0}">Older messages</a>` : NOTHING;
  const composer = html`<form id="composer" action="/messages" method="post">
<label class="hidden" for="text">Message to ${name}</label>
<textarea id="text" name="text" rows="1" maxlength="16000" required placeholder="Message ${name}" autofocus></textarea>
<button type="submit">Send</button>
</form>`;
  return page(
    name,
    head,
    html`<header><h1>${name}</h1><p id="status" role="status"></p>${isForwarded ? html`<a href="${HOME}">All changelings</a>` : NOTHING}</header>
<main>
${older}
<div id="messages" role="log" aria-label="Conversation with ${name}" tabindex="0">${messages.map(articleOf)}</div>
${isPast ? html`<a class="page" href="/">Back to the latest</a>` : html`<p id="answering" hidden>${name} is answering</p>`}
</main>
${isPast ? NOTHING : composer}`,
  );
}

/**
 * The conversation as one self-contained file, to be read while the agent is not running.
 * @param {string} name @param {readonly Message[]} messages @param {Date} now
 */
export function snapshotPage(name, messages, now) {
  const time = now.toISOString();
  return page(
    name,
    html`<meta http-equiv="refresh" content="15">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>${new Html(STYLE)}</style>`,
    html`<header><h1>${name}</h1><p>offline</p><a href="${HOME}">All changelings</a></header>
<main>
<p class="note">As it was at <time datetime="${time}">${minutes(time)}</time>. The agent is not running now; this page checks again every 15 seconds.</p>
<div id="messages">${messages.map(articleOf)}</div>
</main>`,
  );
}

/** A page with one message. @param {string} text */
export function textPage(text) {
  const head = html`<link rel="stylesheet" href="/style.css">`;
  return page(text, head, html`<main><p class="note">${text} <a href="/">Back to the conversation</a></p></main>`);
}

/** @param {string} title @param {Html} head @param {Html} body @returns {string} */
function page(title, head, body) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
${head}
</head>
<body>
${body}
</body>
</html>
`.text;
}

/** Must match what app.js builds for a new message. @param {Message} message */
function articleOf({ id, at, from, text, failed }) {
  const kind = failed ? "agent failed" : from;
  return html`<article class="${kind}" data-id="${id}"><h2 class="hidden">${from === "person" ? "You" : "Agent"}</h2><div class="text">${piecesOf(text).map(pieceOf)}</div><time datetime="${at}">${minutes(at)}</time></article>
`;
}

/** @param {import("../public/format.js").Piece} piece */
function pieceOf({ kind, text }) {
  if (kind === "link") return html`<a href="${text}" target="_blank" rel="noopener noreferrer">${text}</a>`;
  if (kind === "block") return html`<pre><code>${text}</code></pre>`;
  return kind === "code" ? html`<code>${text}</code>` : html`${text}`;
}

/** @param {string} at ISO 8601 */
function minutes(at) {
  return `${at.slice(0, 16).replace("T", " ")} UTC`;
}
