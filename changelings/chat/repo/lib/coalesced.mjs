// @ts-check
/** Runs work after each call, but never concurrently: calls during a run share the next run. */
export class Coalesced {
  #work;
  /** @type {Promise<void> | undefined} */
  #running;
  /** @type {Promise<void> | undefined} */
  #next;

  /** @param {() => Promise<void>} work that does not reject */
  constructor(work) {
    this.#work = work;
  }

  /** @returns {Promise<void>} of a run that began after this call */
  run() {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  /** Waits until no work is left. */
  async settle() {
    while (this.#running !== undefined) await (this.#next ?? this.#running);
  }

  #start() {
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }
}
