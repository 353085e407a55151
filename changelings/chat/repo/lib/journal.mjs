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
 * @property {string} [key] the sender's own mark: the same one is not taken twice
 * @property {number} [replyTo] the message that it answers
 * @property {boolean} [failed] true where the responder gave no answer and `text` says why
 *
 * @typedef {object} Start an answer was begun: after a crash it is not begun again, because it may have done something
 * @property {number} started the message
 */

/**
 * The conversation on disk, one line of JSON for each message, only ever appended to. What `append` has returned is
 * on the disk, whatever happens then.
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

  /** @param {import("node:fs/promises").FileHandle} file opened for appending @param {string} text what it holds */
  constructor(file, text) {
    this.#file = file;
    this.#isTorn = text !== "" && !text.endsWith("\n");
    let junk = 0;
    for (const line of text.split("\n")) if (line !== "" && !this.#take(parseLine(line))) junk += 1;
    if (junk > 0) log(`${junk} lines of the journal are not messages and were passed over`);
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

  /** Waits for what is being written. */
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
    // After a write that broke off, the next line begins with the end of the torn one.
    const line = `${this.#isTorn ? "\n" : ""}${JSON.stringify(record)}\n`;
    this.#isTorn = true;
    await this.#file.appendFile(line);
    this.#isTorn = false;
    await this.#file.datasync();
  }

  /** @param {Message | Start | undefined} record @returns {boolean} whether it was one */
  #take(record) {
    if (record === undefined) return false;
    if ("started" in record) this.started.add(record.started);
    else this.messages.push(record);
    return true;
  }
}

/** @param {string} folder made when it is not there @returns {Promise<Journal>} */
export async function openJournal(folder) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, "messages.jsonl");
  const file = await open(path, "a", 0o600);
  // The name of a new file is in its folder, which has to be on the disk too.
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
