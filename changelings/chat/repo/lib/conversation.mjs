// @ts-check
import { log } from "./log.mjs";

/**
 * @typedef {import("./journal.mjs").Message} Message
 * @typedef {(message: Message, context: readonly Message[]) => Promise<string>} Responder rejects with an Error whose
 *   message is for the person
 * @typedef {{ message: Message } | { answering: boolean }} Change
 */

const INTERRUPTED = "I was restarted while I worked on an answer. Send the message again if you still want one.";

/** Accepts messages, stores them, and answers them one after the other. */
export class Conversation {
  isAnswering = false;
  #isStopping = false;
  #journal;
  #responder;
  #contextMessages;
  /** @type {Set<(change: Change) => void>} */
  #listeners = new Set();
  /** The message with each key, even while it is still being written. @type {Map<string, Promise<Message>>} */
  #byKey = new Map();
  /** @type {Promise<unknown>} */
  #answers = Promise.resolve();

  /**
   * @param {import("./journal.mjs").Journal} journal
   * @param {Responder} responder
   * @param {{ contextMessages: number }} settings
   */
  constructor(journal, responder, settings) {
    this.#journal = journal;
    this.#responder = responder;
    this.#contextMessages = settings.contextMessages;
    for (const message of journal.messages) {
      if (message.key !== undefined) this.#byKey.set(message.key, Promise.resolve(message));
    }
  }

  /**
   * Accepts a message of the user. It is on disk when this returns; the answer comes later.
   * @param {string} text
   * @param {string} [key] a message with the key of an earlier one is the same message
   * @returns {Promise<Message>}
   */
  post(text, key) {
    const known = key === undefined ? undefined : this.#byKey.get(key);
    if (known !== undefined) return known;
    const kept = this.#keep({ from: "person", text, ...(key === undefined ? {} : { key }) });
    if (key !== undefined) {
      this.#byKey.set(key, kept);
      kept.catch(() => this.#byKey.delete(key));
    }
    kept.then(
      (message) => this.#enqueue(message),
      () => undefined,
    );
    return kept;
  }

  /** The messages after an id. @param {number} id */
  after(id) {
    // Ids count up, and the wanted ones are at the end, so search backwards.
    let from = this.#journal.messages.length;
    while (from > 0 && (this.#journal.messages[from - 1]?.id ?? 0) > id) from -= 1;
    return this.#journal.messages.slice(from);
  }

  /**
   * The last messages before an id.
   * @param {number} count
   * @param {number} [before] an id; by default, there is no limit
   * @returns {{ messages: Message[], hasOlder: boolean }}
   */
  last(count, before = Number.POSITIVE_INFINITY) {
    const all = this.#journal.messages.filter(({ id }) => id < before);
    return { messages: all.slice(-count), hasOlder: all.length > count };
  }

  /** @param {(change: Change) => void} listener @returns {() => void} unsubscribes */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resumes messages without an answer from before a restart. Call this before accepting any. */
  async resume() {
    const answered = new Set(this.#journal.messages.map(({ replyTo }) => replyTo));
    const open = this.#journal.messages.filter(({ id, from }) => from === "person" && !answered.has(id));
    for (const message of open) {
      if (!this.#journal.started.has(message.id)) this.#enqueue(message);
      else await this.#keep({ from: "agent", text: INTERRUPTED, replyTo: message.id, failed: true });
    }
  }

  /** Accepts no more answers, and waits for pending writes. */
  stop() {
    this.#isStopping = true;
    return this.#journal.settle();
  }

  /** @param {Message} message */
  #enqueue(message) {
    this.#answers = this.#answers.then(() => this.#answer(message)).catch((error) => log(`no answer: ${error}`));
  }

  /** @param {Message} message */
  async #answer(message) {
    if (this.#isStopping) return;
    await this.#journal.start(message.id);
    this.#setAnswering(true);
    try {
      const context = this.#journal.messages.filter(({ id, failed }) => id < message.id && failed !== true);
      const recent = this.#contextMessages === 0 ? [] : context.slice(-this.#contextMessages);
      const answer = await this.#responder(message, recent).then(
        (text) => ({ text }),
        (error) => ({ text: error instanceof Error ? error.message : String(error), failed: true }),
      );
      if (!this.#isStopping) await this.#keep({ from: "agent", replyTo: message.id, ...answer });
    } finally {
      this.#setAnswering(false);
    }
  }

  /** @param {Omit<Message, "id" | "at">} message */
  async #keep(message) {
    const kept = await this.#journal.append(message);
    this.#notify({ message: kept });
    return kept;
  }

  /** @param {boolean} isAnswering */
  #setAnswering(isAnswering) {
    this.isAnswering = isAnswering;
    this.#notify({ answering: isAnswering });
  }

  /** @param {Change} change */
  #notify(change) {
    for (const listener of this.#listeners) listener(change);
  }
}
