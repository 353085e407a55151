import assert from "node:assert/strict";
import { describe } from "./agent.ts";
import type { Channel, Message } from "./channel.ts";
import { given } from "./given.ts";

type Body = (subject: unknown) => unknown;

/** Runs the tests of a version, one after another. The service forwards calls to the code under test. */
export class Tests {
  readonly #channel: Channel;
  readonly #tests: { readonly name: string; readonly body: Body; readonly defined: string }[] = [];
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #realNow = Date.now;
  #calls = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** The module "seed" for tests. */
  module() {
    return {
      assert,
      test: (name: unknown, body: unknown) => {
        if (typeof name !== "string" || typeof body !== "function") throw new TypeError("usage: test(name, body)");
        const defined = new Error("defined here").stack ?? "";
        this.#tests.push({ name, defined, body: (subject) => body(subject) });
      },
    };
  }

  get count(): number {
    return this.#tests.length;
  }

  async run(): Promise<void> {
    for (const { name, body, defined } of this.#tests) {
      this.#channel.send({ type: "testing", name });
      const began = this.#realNow();
      let problem: { readonly message: string; readonly defined: string } | undefined;
      try {
        await given.run({ now: 0, seed: 0 }, async () => body(this.#subject()));
      } catch (error) {
        problem = { message: describe(error), defined };
      }
      this.#channel.send({ type: "tested", name, milliseconds: this.#realNow() - began, ...problem });
    }
    this.#channel.send({ type: "done" });
  }

  result(message: Message): void {
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }

  #subject() {
    return {
      handle: async (
        request: unknown,
        more: { now?: unknown; seed?: unknown; state?: Record<string, string> } = {},
      ) => {
        const { value, state } = await this.#call({ what: "handle", input: request ?? {}, given: more });
        for (const [key, text] of Object.entries(state)) {
          if (more.state !== undefined && text === null) delete more.state[key];
          else if (more.state !== undefined) more.state[key] = text;
        }
        return value;
      },
      checks: async () => (await this.#call({ what: "checks" })).value,
      plan: async (situation: unknown) =>
        (await this.#call({ what: "plan", input: situation ?? {} })).value ?? undefined,
    };
  }

  #call(what: Readonly<Record<string, unknown>>): Promise<Message> {
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      // Created here, so that its stack contains the test.
      const failed = new Error("the call failed");
      this.#waiting.set(id, (message) => {
        if (message.error === undefined) {
          resolve(message);
          return;
        }
        failed.message = message.error;
        failed.stack = `Error: ${message.error}\n${(failed.stack ?? "").split("\n").slice(1).join("\n")}`;
        reject(failed);
      });
      this.#channel.send({ type: "subject", id, ...what });
    });
  }
}
