// @ts-nocheck: a browser's program.
import { piecesOf } from "./format.js";

const PROTOCOL = "chat.v1";
const find = (selector) => document.querySelector(selector);
const [messages, main, status] = [find("#messages"), find("main"), find("#status")];
const [answering, composer, text] = [find("#answering"), find("#composer"), find("#text")];
/** Below the address that this page was given, which need not be the top of its host. */
const at = (path) => new URL(path, document.baseURI);
let lastId = Number(messages.lastElementChild?.dataset.id ?? 0);

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Text only ever becomes text: nothing here reads HTML. */
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

/** The server does not know the reader's zone. */
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

/** Tries WebSockets, and server-sent events where something between here and the agent lets none through. */
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

/** One mark for one message, however often it has to be sent. */
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
    // What was said in between comes over the connection, in its order.
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

/** Where there is a keyboard, Enter sends; a finger has the button. */
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
// A proxy may keep this to itself: then the page has no offline page, and works all the same.
navigator.serviceWorker?.register(at("sw.js")).catch(() => undefined);
