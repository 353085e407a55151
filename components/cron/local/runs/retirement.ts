import type { RunContext } from "./context.ts";
import { retire } from "./prune.ts";

/** Destroys the agents of removed changelings in the background: mngr takes seconds for each. */
export class Retirement {
  readonly #context: RunContext;
  /** Removed changelings whose agents still exist. */
  readonly #names = new Set<string>();
  #retiring: Promise<void> | undefined;
  #isClosing = false;

  constructor(context: RunContext) {
    this.#context = context;
  }

  add(name: string): void {
    this.#names.add(name);
    this.#retiring ??= this.#retireAll().finally(() => {
      this.#retiring = undefined;
    });
  }

  /** One mngr at a time, because each takes seconds of CPU time. */
  async #retireAll(): Promise<void> {
    while (this.#names.size > 0 && !this.#isClosing) {
      const names = [...this.#names];
      this.#names.clear();
      await retire(names, this.#context, () => this.#isClosing);
    }
  }

  /** Stops before the next mngr command. */
  close(): void {
    this.#isClosing = true;
  }

  /** Destroys the agents of all changelings, after the current mngr command has ended. Call `close` first. */
  async retireRest(): Promise<void> {
    // Two concurrent passes would destroy the same agents.
    await this.#retiring;
    await retire(undefined, this.#context);
  }
}
