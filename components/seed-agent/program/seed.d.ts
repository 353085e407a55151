/**
 * The module "seed": what the agent's code is written against. It is types only. Beside it there is the language (ES2024),
 * console, URL, URLSearchParams, TextEncoder, TextDecoder, structuredClone, atob, btoa, setTimeout, clearTimeout and
 * queueMicrotask; neither a network, nor files, nor anything else of Node.
 */
declare module "seed" {
  export interface Request {
    readonly method: string;
    /** Below `/agent`, begins with `/`. */
    readonly path: string;
    readonly query: Readonly<Record<string, string>>;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }

  export interface Response {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  }

  /** The only way to anything outside of the code. Same context, same answer: that is how an answer can be replayed. */
  export interface Context {
    /** The time of the request, in ms since 1970. Date.now() and new Date() are the same; 0 while the code is loaded. */
    now(): number;
    /** In [0, 1). Math.random() is the same. */
    random(): number;
    log(message: string): void;
    readonly state: {
      get(key: string): Promise<string | undefined>;
      /** undefined deletes it. Written if the request succeeds. */
      set(key: string, value: string | undefined): Promise<void>;
    };
  }

  /** `handle.ts`, its default export: answers a request to `/agent/…`. */
  export type Handle = (request: Request, context: Context) => Response | Promise<Response>;

  /** A check of `GET /health/deep`. */
  export interface Check {
    readonly name: string;
    readonly ok: boolean;
    readonly detail?: string;
  }

  /** `checks.ts`, its default export, optional. A failing check in probation rolls the version back. */
  export type Checks = (context: Context) => readonly Check[] | Promise<readonly Check[]>;

  /** What the service noticed about itself. */
  export interface Signal {
    readonly kind: "error" | "slow" | "check" | "rejected" | "rolled-back";
    /** In words, with an example. */
    readonly summary: string;
    readonly count: number;
    /** A request that shows it. */
    readonly request?: Request;
  }

  export interface Situation {
    readonly goal: string;
    readonly signals: readonly Signal[];
    /** Summaries of former changes and what became of them, newest first. */
    readonly history: readonly { readonly summary: string; readonly outcome: string }[];
  }

  /**
   * `plan.ts`, its default export, optional: the task for the model, in words, or undefined if nothing is worth a change
   * now. The agent can so improve how it improves itself.
   */
  export type Plan = (situation: Situation) => string | undefined | Promise<string | undefined>;

  /** What a test gets. The code under test is in another process: a test can't change it, nor it the test. */
  export interface Subject {
    /** `state` is what the context's state holds before; after the call it holds the changes. */
    handle(
      request: Partial<Request>,
      given?: { readonly now?: number; readonly seed?: number; readonly state?: Record<string, string> },
    ): Promise<Required<Response>>;
    checks(): Promise<readonly Check[]>;
    plan(situation: Partial<Situation>): Promise<string | undefined>;
  }

  /** In `*.test.ts`. */
  export function test(name: string, body: (subject: Subject) => void | Promise<void>): void;
  /** Node's `node:assert/strict`, which can be imported too. */
  export const assert: Assert;

  export interface Assert {
    (value: unknown, message?: string): asserts value;
    ok(value: unknown, message?: string): asserts value;
    equal<Expected>(actual: unknown, expected: Expected, message?: string): asserts actual is Expected;
    notEqual(actual: unknown, expected: unknown, message?: string): void;
    deepEqual<Expected>(actual: unknown, expected: Expected, message?: string): asserts actual is Expected;
    notDeepEqual(actual: unknown, expected: unknown, message?: string): void;
    strictEqual<Expected>(actual: unknown, expected: Expected, message?: string): asserts actual is Expected;
    notStrictEqual(actual: unknown, expected: unknown, message?: string): void;
    deepStrictEqual<Expected>(actual: unknown, expected: Expected, message?: string): asserts actual is Expected;
    notDeepStrictEqual(actual: unknown, expected: unknown, message?: string): void;
    match(text: string, pattern: RegExp, message?: string): void;
    doesNotMatch(text: string, pattern: RegExp, message?: string): void;
    throws(run: () => unknown, expected?: RegExp | object, message?: string): void;
    doesNotThrow(run: () => unknown, message?: string): void;
    rejects(
      run: Promise<unknown> | (() => Promise<unknown>),
      expected?: RegExp | object,
      message?: string,
    ): Promise<void>;
    doesNotReject(run: Promise<unknown> | (() => Promise<unknown>), message?: string): Promise<void>;
    fail(message?: string): never;
    ifError(value: unknown): void;
  }
}
