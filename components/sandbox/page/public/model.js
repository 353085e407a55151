/**
 * The state of a session's page, made from the session's events. It needs no browser, so that it can be tested alone.
 *
 * @typedef {import("../../sessions/protocol.ts").SessionEvent} SessionEvent
 * @typedef {import("../../sessions/protocol.ts").Failure} Failure
 * @typedef {{ kind: "text", text: string }
 *   | { kind: "tool", id: string, name: string, input: unknown, output?: string, isError?: boolean }
 *   | { kind: "notice", text: string }} Part of an answer
 * @typedef {object} Attempt
 * @property {number} number
 * @property {Part[]} parts
 * @property {number} length of its text so far, in UTF-16 code units
 * @property {import("../../sessions/protocol.ts").MessageState} state
 * @property {number} costUsd
 * @property {string} [startedAt]
 * @property {string} [endedAt]
 * @property {Failure | undefined} [failure]
 * @property {string} [retriedBy]
 * @typedef {object} MessageItem
 * @property {"message"} kind
 * @property {string} key
 * @property {number} id
 * @property {string} author
 * @property {string} text
 * @property {string} at
 * @property {Attempt[]} attempts the last one is the current one
 * @typedef {object} StartItem the start of the sandbox
 * @property {"start"} kind
 * @property {string} key
 * @property {string} at
 * @property {string[]} lines
 * @property {string} [branch] once it is ready
 * @property {boolean} isOver
 * @typedef {object} LineItem
 * @property {"line"} kind
 * @property {string} key
 * @property {string} at
 * @property {string} text
 * @typedef {MessageItem | StartItem | LineItem} Item
 * @typedef {object} Transcript
 * @property {number} cursor of the last event
 * @property {Item[]} items in order
 * @property {Map<number, MessageItem>} messages
 * @property {number[]} open the messages that are queued or being executed, in the order of their execution
 * @property {StartItem | undefined} start
 * @property {"running" | "paused" | "terminated"} status
 * @property {string | undefined} [reason] why it is terminated
 * @property {boolean} isAsleep whether the sandbox sleeps
 * @property {readonly string[]} present
 */

/** @returns {Transcript} */
export function emptyTranscript() {
  return {
    ...{ cursor: 0, items: [], messages: new Map(), open: [], start: undefined, status: "running", present: [] },
    isAsleep: false,
  };
}

/** @param {MessageItem} item @returns {Attempt} */
export function lastAttempt({ attempts }) {
  const last = attempts.at(-1);
  if (last === undefined) throw new Error("a message has at least one attempt");
  return last;
}

/** The message that is being executed. @param {Transcript} transcript */
export function processing({ open, messages }) {
  const item = messages.get(open[0] ?? 0);
  return item !== undefined && lastAttempt(item).state === "processing" ? item : undefined;
}

/**
 * Applies an event.
 *
 * @param {Transcript} transcript changed in place
 * @param {SessionEvent} event
 * @returns {Item | undefined} the item that must be drawn again
 */
export function apply(transcript, event) {
  if (event.type === "presence") {
    transcript.present = event.present;
    return undefined;
  }
  // After a reconnection, events may repeat.
  if (event.cursor <= transcript.cursor && event.type !== "text") return undefined;
  transcript.cursor = Math.max(transcript.cursor, event.cursor);
  switch (event.type) {
    case "created":
      return startOf(transcript, event);
    case "progress":
      return progress(transcript, event);
    case "ready":
      return Object.assign(startOf(transcript, event), { branch: event.branch, isOver: true });
    case "message": {
      const { message: id, author, text, at } = event;
      /** @type {MessageItem} */
      const item = { kind: "message", key: `message-${id}`, id, author, text, at, attempts: [attemptOf(1)] };
      transcript.messages.set(id, item);
      transcript.open.push(id);
      return add(transcript, item);
    }
    case "status":
      transcript.status = event.status;
      if (event.status === "terminated") {
        transcript.reason = event.reason;
        transcript.open = [];
        if (transcript.start !== undefined) transcript.start.isOver = true;
      }
      return add(transcript, lineItem(event, statusInWords(event)));
    case "sandbox":
      transcript.isAsleep = event.isAsleep;
      return add(transcript, lineItem(event, event.isAsleep ? "The sandbox sleeps" : "The sandbox is awake again"));
    case "snapshot":
      return add(transcript, lineItem(event, `${event.by} took a snapshot`));
    case "invited":
      return add(transcript, lineItem(event, `${event.by} invited ${event.name} as ${event.role}`));
    case "revoked":
      return add(transcript, lineItem(event, `${event.by} ended the access of ${event.name}`));
    default:
      return ofMessage(transcript, event);
  }
}

/**
 * @param {Transcript} transcript
 * @param {Extract<SessionEvent, { message: number, attempt: number }>} event
 */
function ofMessage(transcript, event) {
  const item = transcript.messages.get(event.message);
  if (item === undefined) return undefined;
  if (event.type === "retried") {
    item.attempts.push({ ...attemptOf(event.attempt), retriedBy: event.by });
    transcript.open.push(item.id);
    return item;
  }
  const attempt = item.attempts.find(({ number }) => number === event.attempt);
  if (attempt === undefined) return undefined;
  switch (event.type) {
    case "started":
      attempt.state = "processing";
      attempt.startedAt = event.at;
      break;
    case "text":
      addText(attempt, event);
      break;
    case "tool_call":
      attempt.parts.push({ kind: "tool", id: event.id, name: event.name, input: event.input });
      break;
    case "tool_result": {
      const call = attempt.parts.findLast((part) => part.kind === "tool" && part.id === event.id);
      if (call?.kind === "tool") Object.assign(call, { output: event.output, isError: event.isError });
      break;
    }
    case "notice":
      attempt.parts.push({ kind: "notice", text: event.text });
      break;
    case "cost":
      attempt.costUsd += event.usd;
      break;
    case "finished":
      attempt.state = event.state;
      attempt.endedAt = event.at;
      attempt.failure = event.failure;
      transcript.open = transcript.open.filter((id) => id !== item.id);
      if (attempt.length === 0 && event.answer) attempt.parts.push({ kind: "text", text: event.answer });
      break;
  }
  return item;
}

/** @param {Attempt} attempt @param {{ offset: number, text: string }} piece may overlap the text so far */
function addText(attempt, { offset, text }) {
  const added = text.slice(Math.max(0, attempt.length - offset));
  if (added === "") return;
  attempt.length += added.length;
  const last = attempt.parts.at(-1);
  if (last?.kind === "text") last.text += added;
  else attempt.parts.push({ kind: "text", text: added });
}

/** @param {Transcript} transcript @param {{ text: string, at: string }} event */
function progress(transcript, { text, at }) {
  const start = startOf(transcript, { at });
  start.lines.push(text);
  return start;
}

/** @template {Item} T @param {Transcript} transcript @param {T} item @returns {T} */
function add(transcript, item) {
  transcript.items.push(item);
  return item;
}

/** @param {number} number @returns {Attempt} */
function attemptOf(number) {
  return { number, parts: [], length: 0, state: "queued", costUsd: 0 };
}

/** The item of the sandbox's start, made with its first event. @param {Transcript} transcript @param {{ at: string }} event */
function startOf(transcript, { at }) {
  transcript.start ??= add(transcript, { kind: "start", key: "start", at, lines: [], isOver: false });
  return transcript.start;
}

/** @param {{ cursor: number, at: string }} event @param {string} text @returns {LineItem} */
function lineItem({ cursor, at }, text) {
  return { kind: "line", key: `line-${cursor}`, at, text };
}

/** @param {{ status: string, by: string, reason?: string | undefined }} event */
function statusInWords({ status, by, reason }) {
  if (status === "paused") return `${by} paused the session`;
  if (status === "running") return `${by} resumed the session`;
  return reason === undefined ? `${by} stopped the session` : `The session ended: ${reason}`;
}
