/** Leadership within one process, for a store that only one process can open. */
export class Roles {
  readonly #held = new Map<string, AbortController>();

  /** @returns undefined, without a call of `lead`, if the role is held */
  async lead<Result>(role: string, lead: (signal: AbortSignal) => Promise<Result>): Promise<Result | undefined> {
    if (this.#held.has(role)) return undefined;
    const controller = new AbortController();
    this.#held.set(role, controller);
    try {
      return await lead(controller.signal);
    } finally {
      this.#held.delete(role);
    }
  }

  close(): void {
    for (const controller of this.#held.values()) controller.abort();
  }
}
