// @ts-check
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { log } from "./log.mjs";

/**
 * @typedef {object} Message
 * @property {number} id counts up from 1
 * @property {string} at ISO 8601, UTC
 * @property {"person" | "agent"} from
 * @property {string} text
 * @property {string} [key] the sender's idempotency key: a message with the same key is not accepted twice
 * @property {number} [replyTo] the message that it answers
 * @property {boolean} [failed] true if the responder gave no answer; `text` says why
 *
 * @typedef {object} Start an answer was begun: it is not repeated after a crash, because it may have had effects
 * @property {number} started the message
 */

/**
 * The conversation on disk: append-only, one line of JSON for each message. A message is durable once `append` resolves.
 */
export class Journal {
  /** @type {Message[]} */
  messages = [];
  /** Messages whose answer was begun. @type {Set<number>} */
  started = new Set();
  #file;
  #isTorn = false;
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /** @param {import("node:fs/promises").FileHandle} file opened for appending @param {string} text its content */
  constructor(file, text) {
    this.#file = file;
    this.#isTorn = text !== "" && !text.endsWith("\n");
    let invalid = 0;
    for (const line of text.split("\n")) if (line !== "" && !this.#take(parseLine(line))) invalid += 1;
    if (invalid > 0) log(`${invalid} invalid lines of the journal were skipped`);
  }

  /** @param {Omit<Message, "id" | "at">} message @returns {Promise<Message>} */
  append(message) {
    return this.#inTurn(async () => {
      const id = (this.messages.at(-1)?.id ?? 0) + 1;
      const whole = { id, at: new Date().toISOString(), ...message };
      await this.#write(whole);
      this.messages.push(whole);
      return whole;
    });
  }

  /** @param {number} id */
  start(id) {
    return this.#inTurn(async () => {
      await this.#write({ started: id });
      this.started.add(id);
    });
  }

  /** Waits for pending writes. */
  async settle() {
    await this.#last;
  }

  /** @template Result @param {() => Promise<Result>} work @returns {Promise<Result>} */
  #inTurn(work) {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** @param {Message | Start} record */
  async #write(record) {
    // After a partial write, the newline ends the torn line.
    const line = `${this.#isTorn ? "\n" : ""}${JSON.stringify(record)}\n`;
    this.#isTorn = true;
    await this.#file.appendFile(line);
    this.#isTorn = false;
    await this.#file.datasync();
  }

  /** @param {Message | Start | undefined} record @returns {boolean} whether it was valid */
  #take(record) {
    if (record === undefined) return false;
    if ("started" in record) this.started.add(record.started);
    else this.messages.push(record);
    return true;
  }
}

/** @param {string} folder is created if missing @returns {Promise<Journal>} */
export async function openJournal(folder) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "messages.jsonl");
  const file = await open(path, "a", 0o600);
  // A new file's name is stored in its folder, which must be synced too.
  const parent = await open(folder, "r");
  await parent.sync();
  await parent.close();
  return new Journal(file, await readFile(path, "utf8"));
}

/** @param {string} line @returns {Message | Start | undefined} */
function parseLine(line) {
  let value;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (Number.isInteger(value.started)) return { started: value.started };
  const { id, at, from, text } = value;
  const isMessage = Number.isInteger(id) && typeof at === "string" && typeof text === "string";
  return isMessage && (from === "person" || from === "agent") ? value : undefined;
}
