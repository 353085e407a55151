import { messageOf } from "../../../lib/as-error.ts";
import type { FromAgent } from "./messages.ts";
import { type CallContext, HostError } from "./version-host.ts";

const maxReads = 100;
const maxLogLines = 100;

export type AnswerMessage = Extract<FromAgent, { type: "answer" }>;

export interface CallOptions {
  readonly id: number;
  readonly given: CallContext;
  /** Sends a message to the process. */
  readonly send: (message: Readonly<Record<string, unknown>>) => void;
  /** Kills the process. */
  readonly kill: (reason: string) => void;
  /** Counts a message that is dropped. */
  readonly drop: (characters: number, reason: string) => void;
  readonly timeoutMilliseconds: number;
  /** Called once, however the call ends. */
  readonly onEnd: () => void;
}

/** One call of a version's code: what it reads and logs, and its result. */
export class Call {
  readonly #options: CallOptions;
  readonly #result = Promise.withResolvers<AnswerMessage>();
  readonly #timer: NodeJS.Timeout;
  readonly #values = new Map<string, Promise<string | null>>();
  #logLines = 0;
  #reads = 0;
  /** The values that the call has read, null for missing keys. */
  readonly reads = new Map<string, string | null>();

  constructor(options: CallOptions) {
    const { timeoutMilliseconds, kill } = options;
    this.#options = options;
    this.#timer = setTimeout(() => {
      this.reject(new HostError("timeout", `no answer within ${timeoutMilliseconds} ms`));
      kill(`a call had no answer within ${timeoutMilliseconds} ms`);
    }, timeoutMilliseconds);
  }

  /** @throws HostError */
  get result(): Promise<AnswerMessage> {
    return this.#result.promise;
  }

  resolve(answer: AnswerMessage): void {
    this.#end();
    this.#result.resolve(answer);
  }

  reject(error: HostError): void {
    this.#end();
    this.#result.reject(error);
  }

  onRead({ read, key }: Extract<FromAgent, { type: "read" }>): void {
    const { id, given, send, kill } = this.#options;
    this.#reads += 1;
    if (this.#reads > maxReads) {
      kill(`it read the state more than ${maxReads} times in one call`);
      return;
    }
    // A call is a transaction: it gets one value of a key, however often it reads it.
    const value = this.#values.get(key) ?? given.read(key).then((text) => text ?? null);
    this.#values.set(key, value);
    value.then(
      (text) => {
        this.reads.set(key, text);
        send({ type: "value", id, read, value: text });
      },
      (error: unknown) => this.reject(new HostError("threw", `the state can't be read: ${messageOf(error)}`)),
    );
  }

  onLog(message: string): void {
    this.#logLines += 1;
    if (this.#logLines <= maxLogLines) this.#options.given.log?.(message);
    else this.#options.drop(message.length, "it logs more than is kept");
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#options.onEnd();
  }
}
