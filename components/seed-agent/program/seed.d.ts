/**
 * The module "seed" declares the types for the agent's code. Besides them, the code has the language (ES2024), console, URL,
 * URLSearchParams, TextEncoder, TextDecoder, structuredClone, atob, btoa, setTimeout, clearTimeout and queueMicrotask. It has
 * no network, no files, and nothing else of Node.
 */
declare module "seed" {
  export interface Request {
    readonly method: string;
    /** The path below `/agent`. Begins with `/`. */
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

  /** The code's only access to the outside. With the same context, a request gets the same answer, so it can be replayed. */
  export interface Context {
    /** The time of the request, in ms since 1970. Date.now() and new Date() use it, too. It is 0 while the code is loaded. */
    now(): number;
    /** A number in [0, 1). Math.random() is the same. */
    random(): number;
    log(message: string): void;
    readonly state: {
      get(key: string): Promise<string | undefined>;
      /** Sets a key, or deletes it if the value is undefined. The change is written if the request succeeds. */
      set(key: string, value: string | undefined): Promise<void>;
    };
  }

  /** The default export of `handle.ts`: answers a request to `/agent/…`. */
  export type Handle = (request: Request, context: Context) => Response | Promise<Response>;

  /** A check in the answer to `GET /health/deep`. */
  export interface Check {
    readonly name: string;
    readonly ok: boolean;
    readonly detail?: string;
  }

  /** The default export of `checks.ts`, which is optional. A check that fails during probation rolls the version back. */
  export type Checks = (context: Context) => readonly Check[] | Promise<readonly Check[]>;

  /** A problem that the service noticed. */
  export interface Signal {
    readonly kind: "error" | "slow" | "check" | "rejected" | "rolled-back";
    /** The problem, with an example. */
    readonly summary: string;
    readonly count: number;
    /** A request that shows the problem. */
    readonly request?: Request;
  }

  export interface Situation {
    readonly goal: string;
    readonly signals: readonly Signal[];
    /** Summaries of former changes and their outcomes, newest first. */
    readonly history: readonly { readonly summary: string; readonly outcome: string }[];
  }

  /**
   * The default export of `plan.ts`, which is optional. Returns the task for the model, or undefined if nothing is worth a
   * change now. With it, the agent can improve how it improves itself.
   */
  export type Plan = (situation: Situation) => string | undefined | Promise<string | undefined>;

  /** The code under test, which runs in another process. Neither it nor the test can change the other. */
  export interface Subject {
    /** `state` is the context's state before the call. After the call, it contains the changes. */
    handle(
      request: Partial<Request>,
      given?: { readonly now?: number; readonly seed?: number; readonly state?: Record<string, string> },
    ): Promise<Required<Response>>;
    checks(): Promise<readonly Check[]>;
    plan(situation: Partial<Situation>): Promise<string | undefined>;
  }

  /** Defines a test, in `*.test.ts`. */
  export function test(name: string, body: (subject: Subject) => void | Promise<void>): void;
  /** Node's `node:assert/strict`, which tests can also import. */
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
