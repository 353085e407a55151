// @ts-check
import { readFileSync } from "node:fs";
import { indexPage, textPage } from "./page.mjs";
import { refusal } from "./same-site.mjs";

/**
 * @typedef {import("node:http").IncomingMessage} Request
 * @typedef {import("node:http").ServerResponse} Response
 * @typedef {object} Site
 * @property {string} name
 * @property {boolean} isForwarded see `indexPage`
 * @property {import("./conversation.mjs").Conversation} conversation
 * @property {import("./live.mjs").Live} live
 * @property {string | undefined} secret see `refusal`
 */

const MOST_CHARACTERS = 16_000;
const MOST_BYTES = 100_000;
const SHOWN = 200;

/** Restricts what the page may load, and forbids framing by other pages. */
const POLICY = "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
};

/** The files of `public`, by path. */
const FILES = new Map(
  /** @type {const} */ ([
    ["style.css", "text/css"],
    ["app.js", "text/javascript"],
    ["format.js", "text/javascript"],
    ["sw.js", "text/javascript"],
    ["offline.html", "text/html"],
    ["icon.svg", "image/svg+xml"],
  ]).map(([name, type]) => {
    const body = readFileSync(new URL(`../public/${name}`, import.meta.url));
    return [`/${name}`, { type: `${type}; charset=utf-8`, body }];
  }),
);

/** @param {Site} site @returns {(request: Request, response: Response) => void} */
export function handler(site) {
  return (request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    answer(site, request, response).catch((error) => {
      if (!response.headersSent) say(request, response, 500, `The agent failed: ${error.message}`);
      else response.destroy();
    });
  };
}

/** @param {Site} site @param {Request} request @param {Response} response */
async function answer(site, request, response) {
  const refused = refusal(request, site.secret);
  if (refused !== undefined) return say(request, response, 403, `Not allowed: ${refused}.`);
  if (!URL.canParse(request.url ?? "", "http://here")) return say(request, response, 400, "That is no address.");
  const { pathname, searchParams } = new URL(request.url ?? "", "http://here");
  const isRead = request.method === "GET" || request.method === "HEAD";
  if (pathname === "/messages" && request.method === "POST") return takeMessage(site, request, response);
  if (!isRead) return say(request, response, 405, "There is nothing to send here.");

  const file = FILES.get(pathname);
  if (file !== undefined) return send(response, 200, file.type, file.body);
  const before = Number(searchParams.get("before")) || undefined;
  if (pathname === "/events" && request.method === "GET") return site.live.events(request, response, searchParams);
  if (pathname === "/messages") return sendJson(response, 200, site.conversation.last(SHOWN, before));
  if (pathname === "/") {
    const shown = site.conversation.last(SHOWN, before);
    return send(response, 200, "text/html; charset=utf-8", indexPage(site, shown, before !== undefined));
  }
  say(request, response, 404, "There is no such page.");
}

/**
 * Accepts JSON `{text, key?}` from the page's script, or a form if no script runs.
 * @param {Site} site @param {Request} request @param {Response} response
 */
async function takeMessage({ conversation }, request, response) {
  const body = await readBody(request);
  if (body === undefined) return say(request, response, 413, "That message is too long.");
  const isJson = /^application\/json\b/.test(request.headers["content-type"] ?? "");
  const { text, key } = isJson ? fromJson(body) : fromForm(body);
  if (text === undefined || text.trim() === "") return say(request, response, 400, "That message is empty.");
  if (text.length > MOST_CHARACTERS) return say(request, response, 413, "That message is too long.");
  const message = await conversation.post(text, key);
  if (isJson) return sendJson(response, 201, message);
  response.writeHead(303, { location: "/" }).end();
}

/** @param {string} body @returns {{ text?: string, key?: string }} */
function fromJson(body) {
  try {
    const { text, key } = JSON.parse(body) ?? {};
    return {
      ...(typeof text === "string" ? { text } : {}),
      ...(typeof key === "string" && /^[\w-]{8,64}$/.test(key) ? { key } : {}),
    };
  } catch {
    return {};
  }
}

/** @param {string} body @returns {{ text?: string, key?: string }} */
function fromForm(body) {
  // Forms use CRLF line ends.
  const text = new URLSearchParams(body).get("text")?.replaceAll("\r\n", "\n");
  return text === undefined ? {} : { text };
}

/** @param {Request} request @returns {Promise<string | undefined>} undefined if it is too long */
async function readBody(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length <= MOST_BYTES) parts.push(part);
  }
  return length > MOST_BYTES ? undefined : Buffer.concat(parts).toString("utf8");
}

/**
 * A short answer: a page for a browser, JSON for a script.
 * @param {Request} request @param {Response} response @param {number} status @param {string} text
 */
function say(request, response, status, text) {
  if (request.headers.accept?.includes("text/html")) {
    return send(response, status, "text/html; charset=utf-8", textPage(text));
  }
  sendJson(response, status, { error: text });
}

/** @param {Response} response @param {number} status @param {unknown} value */
function sendJson(response, status, value) {
  send(response, status, "application/json", JSON.stringify(value));
}

/**
 * Node omits the body of a response to HEAD.
 * @param {Response} response @param {number} status @param {string} type @param {string | Buffer} body
 */
function send(response, status, type, body) {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-cache",
  });
  response.end(body);
}
