// @ts-nocheck: a browser's program.
import { piecesOf } from "./format.js";

const PROTOCOL = "chat.v1";
const find = (selector) => document.querySelector(selector);
const [messages, main, status] = [find("#messages"), find("main"), find("#status")];
const [answering, composer, text] = [find("#answering"), find("#composer"), find("#text")];
/** A URL relative to this page, which need not be at the root of its host. */
const at = (path) => new URL(path, document.baseURI);
let lastId = Number(messages.lastElementChild?.dataset.id ?? 0);

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Messages are inserted as text, never as HTML. */
function pieceOf({ kind, text: said }) {
  if (kind === "link") return element("a", { href: said, target: "_blank", rel: "noopener noreferrer" }, said);
  if (kind === "block") return element("pre", {}, element("code", {}, said));
  return kind === "code" ? element("code", {}, said) : said;
}

function show({ id, at: time, from, text: said, failed }) {
  if (id <= lastId) return;
  lastId = id;
  const isNearEnd = main.scrollHeight - main.scrollTop - main.clientHeight < 120;
  const article = element(
    "article",
    { className: failed ? "agent failed" : from },
    element("h2", { className: "hidden" }, from === "person" ? "You" : "Agent"),
    element("div", { className: "text" }, ...piecesOf(said).map(pieceOf)),
    element("time", { dateTime: time }),
  );
  article.dataset.id = id;
  messages.append(article);
  localTimes(article);
  if (isNearEnd || from === "person") main.scrollTop = main.scrollHeight;
}

/** The server does not know the reader's time zone. */
function localTimes(within) {
  const today = new Date().toDateString();
  for (const time of within.querySelectorAll("time")) {
    const date = new Date(time.dateTime);
    const isToday = date.toDateString() === today;
    time.textContent = date.toLocaleString(undefined, {
      timeStyle: "short",
      ...(isToday ? {} : { dateStyle: "medium" }),
    });
  }
}

function take(change) {
  if ("message" in change) show(change.message);
  else {
    answering.hidden = !change.answering;
    if (change.answering) main.scrollTop = main.scrollHeight;
  }
}

function say(state) {
  status.textContent = state;
}

/** Tries WebSockets, and server-sent events if a proxy blocks those. */
let failures = 0;
function connect() {
  if (failures >= 3 && failures % 2 === 1) return connectEvents();
  const url = at(`live?after=${lastId}`);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url, PROTOCOL);
  socket.onopen = connected;
  socket.onmessage = ({ data }) => take(JSON.parse(data));
  socket.onclose = lost;
}

function connectEvents() {
  const events = new EventSource(at(`events?after=${lastId}`));
  events.onopen = connected;
  events.onmessage = ({ data }) => take(JSON.parse(data));
  events.onerror = () => {
    events.close();
    lost();
  };
}

function connected() {
  failures = 0;
  say("connected");
}

let retry;
function lost() {
  say("connecting");
  answering.hidden = true;
  failures += 1;
  retry = setTimeout(connect, Math.min(15_000, 400 * 2 ** failures) * (0.5 + Math.random() / 2));
}

addEventListener("online", () => {
  if (retry === undefined || failures === 0) return;
  clearTimeout(retry);
  connect();
});

/** The idempotency key of the next message: a message that is sent again has the same one. */
let key = crypto.randomUUID();
async function submit() {
  const said = text.value;
  if (said.trim() === "") return;
  say("sending");
  try {
    const response = await fetch(at("messages"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: said, key }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    key = crypto.randomUUID();
    if (text.value === said) text.value = "";
    // The message itself arrives over the connection, in its order.
    say("connected");
  } catch (error) {
    say(error instanceof TypeError || error instanceof SyntaxError ? "not sent, try again" : error.message);
  }
  text.focus();
}

composer.addEventListener("submit", (event) => {
  event.preventDefault();
  void submit();
});

/** With a keyboard, Enter sends. On a touch screen, only the button does. */
const hasKeyboard = matchMedia("(hover: hover)").matches;
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || !hasKeyboard) return;
  event.preventDefault();
  composer.requestSubmit();
});

localTimes(messages);
main.scrollTop = main.scrollHeight;
say("connecting");
connect();
// If a proxy does not forward it, the page works, but has no offline page.
navigator.serviceWorker?.register(at("sw.js")).catch(() => undefined);
