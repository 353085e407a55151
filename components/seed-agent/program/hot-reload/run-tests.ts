import { messageOf } from "../../../lib/as-error.ts";
import type { SourceDiagnostic } from "../domain.ts";
import { ownValue } from "../own-value.ts";
import { insideProgram } from "./assets.ts";
import { type FencedProcess, startFencedProcess } from "./fenced-process.ts";
import { type FromTests, fromTests, readMessage } from "./messages.ts";
import { diagnose, firstPosition } from "./source-lines.ts";
import type { Subject } from "./subject.ts";
import type { CallContext, Fence, HostLimits, TestOutcome } from "./version-host.ts";

export interface TestRun {
  readonly outcomes: readonly TestOutcome[];
  /** Why not all tests ran. */
  readonly problem?: SourceDiagnostic;
}

export interface TestRunOptions {
  readonly fence: Fence;
  readonly limits: HostLimits;
  /** The limit of all tests together. */
  readonly milliseconds: number;
  readonly signal?: AbortSignal;
}

const maxTests = 2000;
/** The limit of messages from a test process, including its calls of the subject. */
const maxMessages = 50_000;

/**
 * Runs a test bundle in a fenced process. The code under test is in another one, and calls between the two pass through
 * here, so that neither can change the other.
 */
export async function runTests(testBundle: string, subject: Subject, options: TestRunOptions): Promise<TestRun> {
  const run = new Run(testBundle, subject, options, await insideProgram());
  return run.result();
}

class Run {
  readonly #bundle: string;
  readonly #subject: Subject;
  readonly #options: TestRunOptions;
  readonly #process: FencedProcess;
  readonly #outcomes: TestOutcome[] = [];
  readonly #finished = Promise.withResolvers<SourceDiagnostic | undefined>();
  #state: "starting" | "running" = "starting";
  #current: string | undefined;
  #expected = 0;
  #messages = 0;

  constructor(bundle: string, subject: Subject, options: TestRunOptions, program: string) {
    this.#bundle = bundle;
    this.#subject = subject;
    this.#options = options;
    const { fence, limits } = options;
    this.#process = startFencedProcess({
      ...{ fence, program, memoryMb: limits.memoryMb, isBackground: limits.isBackground },
      onLine: (line) => this.#receive(line),
    });
  }

  async result(): Promise<TestRun> {
    const { milliseconds, signal } = this.#options;
    const kill = (reason: string) => this.#process.kill(reason);
    const timer = setTimeout(() => kill(`the tests took more than ${milliseconds} ms`), milliseconds);
    const onAbort = () => kill("the check was cancelled");
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    void this.#process.ended.then(({ reason }) => this.#finished.resolve({ message: this.#endedEarly(reason) }));
    const problem = await this.#finished.promise;
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    kill("the tests are over");
    await this.#process.ended;
    signal?.throwIfAborted();
    return { outcomes: this.#outcomes, ...(problem === undefined ? {} : { problem }) };
  }

  #endedEarly(reason: string): string {
    const where = this.#current === undefined ? "" : ` in the test "${this.#current}"`;
    return `the process of the tests ended${where}: ${reason}`;
  }

  #receive(line: string): void {
    const message = readMessage(fromTests, line);
    if (message === undefined || ++this.#messages > maxMessages) {
      this.#process.kill("it violated the protocol, or sent too many messages");
    } else if (message.type === "subject") {
      void this.#call(message);
    } else if (message.type === "testing") {
      this.#current = message.name;
    } else if (message.type === "tested") {
      this.#onTested(message);
    } else if (message.type === "done") {
      const isShort = this.#outcomes.length !== this.#expected;
      this.#finished.resolve(isShort ? { message: "the tests' process did not run all tests" } : undefined);
    } else {
      this.#onStart(message);
    }
  }

  #onStart(message: Extract<FromTests, { type: "ready" | "loaded" | "failed" }>): void {
    if (this.#state === "running") {
      this.#process.kill("it violated the protocol");
    } else if (message.type === "ready") {
      void this.#process.confine().then(() => this.#send({ type: "load", bundle: this.#bundle, tests: true }));
    } else if (message.type === "failed") {
      this.#finished.resolve(diagnose(message.message, this.#bundle));
    } else {
      this.#state = "running";
      this.#expected = message.tests;
      this.#send({ type: "run" });
    }
  }

  #onTested({ name, milliseconds, message, defined }: Extract<FromTests, { type: "tested" }>): void {
    this.#current = undefined;
    if (this.#outcomes.length >= maxTests) {
      this.#process.kill(`there are more than ${maxTests} tests`);
      return;
    }
    if (message === undefined) {
      this.#outcomes.push({ name, passed: true, milliseconds });
      return;
    }
    const found = diagnose(message, this.#bundle);
    const position = found.file === undefined ? firstPosition(defined ?? "", this.#bundle) : {};
    const diagnostic = { ...found, ...position, message: `the test "${name}" failed: ${found.message}` };
    this.#outcomes.push({ name, passed: false, milliseconds, diagnostic });
  }

  async #call(message: Extract<FromTests, { type: "subject" }>): Promise<void> {
    try {
      const result = await this.#answer(message);
      this.#send({ type: "result", id: message.id, ...result });
    } catch (error) {
      this.#send({ type: "result", id: message.id, error: messageOf(error) });
    }
  }

  async #answer(message: Extract<FromTests, { type: "subject" }>) {
    const host = await this.#subject.host();
    if (message.what === "checks") return { value: await host.checks(givenOf({})) };
    if (message.what === "plan") {
      const situation = {
        goal: "",
        signals: [],
        history: [],
        ...(message.input instanceof Object ? message.input : {}),
      };
      return { value: (await host.plan(situation, givenOf({}))) ?? null };
    }
    const { method = "GET", path = "/", query = {}, headers = {}, body = "" } = message.input;
    const { response, writes } = await host.handle({ method, path, query, headers, body }, givenOf(message.given));
    const state = Object.fromEntries(Object.entries(writes).map(([key, value]) => [key, value ?? null]));
    return { value: response, state };
  }

  #send(message: Readonly<Record<string, unknown>>): void {
    this.#process.send(JSON.stringify(message));
  }
}

function givenOf({
  now = 0,
  seed = 0,
  state = {},
}: {
  readonly now?: number | undefined;
  readonly seed?: number | undefined;
  readonly state?: Readonly<Record<string, string>> | undefined;
}): CallContext {
  return { now, seed, read: async (key) => ownValue(state, key) };
}
