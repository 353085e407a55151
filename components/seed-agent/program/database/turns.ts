/** Runs one piece of work at a time, in the order of arrival. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when everything that was taken until now has ended. */
  async ended(): Promise<void> {
    await this.#last;
  }
}
