import { setTimeout as sleep } from "node:timers/promises";
import type { AgentRequest } from "../domain.ts";
import { insideProgram } from "./assets.ts";
import { type AnswerMessage, Call } from "./call.ts";
import { type FencedProcess, startFencedProcess } from "./fenced-process.ts";
import {
  checksAnswer,
  cleanHeaders,
  type FromAgent,
  fromAgent,
  handleAnswer,
  maxKeyLength,
  maxValueLength,
  planAnswer,
  readMessage,
} from "./messages.ts";
import { locate } from "./source-lines.ts";
import {
  type CallContext,
  type Fence,
  type Handled,
  HostError,
  type HostLimits,
  type StartHost,
  type VersionHost,
} from "./version-host.ts";

/** How many calls one process may handle at the same time. */
const maxCalls = 100;
/** Messages of calls that have ended, and log lines beyond the limit, are dropped. More of them are an attack. */
const maxDropped = { messages: 1000, characters: 16 * 1024 * 1024 };

/**
 * @param program the text of the program that runs behind the fence, and loads a version
 * @returns the function that starts versions behind this fence
 */
export function versionHosts(fence: Fence, program: () => Promise<string> = insideProgram): StartHost {
  return async (version, limits) => {
    const host = new Host(version.id, version.bundle, limits, fence, await program());
    await host.started();
    return host;
  };
}

class Host implements VersionHost {
  readonly version: string;
  readonly ended: Promise<{ readonly reason: string }>;
  readonly #bundle: string;
  readonly #limits: HostLimits;
  readonly #process: FencedProcess;
  readonly #calls = new Map<number, Call>();
  readonly #start = Promise.withResolvers<void>();
  #nextId = 0;
  readonly #dropped = { messages: 0, characters: 0 };
  #state: "starting" | "running" | "ending" | "ended" = "starting";

  constructor(version: string, bundle: string, limits: HostLimits, fence: Fence, program: string) {
    this.version = version;
    this.#bundle = bundle;
    this.#limits = limits;
    this.#process = startFencedProcess({
      ...{ fence, program, memoryMb: limits.memoryMb, isBackground: limits.isBackground },
      onLine: (line) => this.#receive(line),
    });
    this.ended = this.#process.ended;
    void this.ended.then(({ reason }) => this.#onEnd(reason));
  }

  get pid(): number {
    return this.#process.pid;
  }

  memory(): Promise<number> {
    return this.#process.memory();
  }

  /** @throws HostError `did not start`, after the process has ended */
  async started(): Promise<void> {
    const { startMilliseconds } = this.#limits;
    const timer = setTimeout(
      () => this.#process.kill(`it was not ready within ${startMilliseconds} ms`),
      startMilliseconds,
    );
    try {
      await this.#start.promise;
      this.#state = "running";
    } finally {
      clearTimeout(timer);
      if (this.#state !== "running") {
        this.#process.kill("it did not start");
        await this.ended;
      }
    }
  }

  async handle(request: AgentRequest, given: CallContext): Promise<Handled> {
    const began = performance.now();
    const { answer, reads } = await this.#call("handle", request, given);
    const milliseconds = performance.now() - began;
    const parsed = handleAnswer.safeParse(answer.value);
    if (!parsed.success) throw this.#invalid("handle", parsed.error);
    const cleaned = cleanHeaders(parsed.data.headers);
    if ("problem" in cleaned) throw new HostError("invalid", cleaned.problem);
    const { status, body } = parsed.data;
    const response = { status, headers: cleaned.headers, body };
    return { response, writes: this.#writes(answer.writes), reads: Object.fromEntries(reads), milliseconds };
  }

  async checks(given: CallContext) {
    const { answer } = await this.#call("checks", undefined, given);
    const parsed = checksAnswer.safeParse(answer.value);
    if (!parsed.success) throw this.#invalid("checks", parsed.error);
    return parsed.data.map(({ name, ok, detail }) => ({ name, ok, ...(detail === undefined ? {} : { detail }) }));
  }

  async plan(situation: unknown, given: CallContext): Promise<string | undefined> {
    const { answer } = await this.#call("plan", situation, given);
    const parsed = planAnswer.safeParse(answer.value);
    if (!parsed.success) throw this.#invalid("plan", parsed.error);
    return parsed.data ?? undefined;
  }

  async end(graceMilliseconds = 0): Promise<void> {
    if (this.#state === "running") this.#state = "ending";
    const until = performance.now() + graceMilliseconds;
    while (this.#calls.size > 0 && this.#state === "ending" && performance.now() < until) await sleep(5);
    this.#process.kill("it was ended by the service");
    await this.ended;
  }

  async #call(
    what: "handle" | "checks" | "plan",
    input: unknown,
    given: CallContext,
  ): Promise<{ readonly answer: AnswerMessage; readonly reads: ReadonlyMap<string, string | null> }> {
    if (this.#state !== "running") throw new HostError("ended", `${this.version} does not run`);
    if (this.#calls.size >= maxCalls) throw new HostError("busy", `${maxCalls} calls are under way`);
    const id = this.#nextId++;
    const call = new Call({
      ...{ id, given, timeoutMilliseconds: this.#limits.callMilliseconds },
      send: (message) => this.#send(message),
      kill: (reason) => this.#process.kill(reason),
      drop: (characters, reason) => this.#drop(characters, reason),
      onEnd: () => this.#calls.delete(id),
    });
    this.#calls.set(id, call);
    this.#send({ type: "call", id, what, input, now: given.now, seed: given.seed });
    return { answer: await call.result, reads: call.reads };
  }

  #send(message: Readonly<Record<string, unknown>>): void {
    this.#process.send(JSON.stringify(message));
  }

  #receive(line: string): void {
    const message = readMessage(fromAgent, line);
    if (message === undefined) {
      this.#process.kill("it violated the protocol");
    } else if (message.type === "ready" || message.type === "loaded" || message.type === "failed") {
      this.#onStart(message);
    } else {
      const call = this.#calls.get(message.id);
      if (call !== undefined) this.#onCall(call, message);
      // The call has ended, or never existed.
      else this.#drop(line.length, "it answers calls that were never made");
    }
  }

  #drop(characters: number, reason: string): void {
    this.#dropped.messages += 1;
    this.#dropped.characters += characters;
    const { messages, characters: all } = this.#dropped;
    if (messages > maxDropped.messages || all > maxDropped.characters) this.#process.kill(reason);
  }

  #onStart(message: Extract<FromAgent, { type: "ready" | "loaded" | "failed" }>): void {
    if (this.#state !== "starting") {
      // The code has forged the message.
      this.#process.kill("it violated the protocol");
    } else if (message.type === "loaded") {
      this.#start.resolve();
    } else if (message.type === "failed") {
      this.#start.reject(new HostError("did not start", locate(message.message, this.#bundle)));
    } else {
      void this.#process.confine().then(() => this.#send({ type: "load", bundle: this.#bundle, tests: false }));
    }
  }

  #onCall(call: Call, message: Extract<FromAgent, { id: number }>): void {
    if (message.type === "read") call.onRead(message);
    else if (message.type === "log") call.onLog(message.message);
    else if (message.type === "answer") call.resolve(message);
    else {
      const code = message.invalid === true ? "invalid" : "threw";
      call.reject(new HostError(code, locate(message.message, this.#bundle)));
    }
  }

  #writes(writes: readonly (readonly [string, string | null])[]): Record<string, string | undefined> {
    for (const [key, value] of writes) {
      if (key === "" || key.length > maxKeyLength) {
        throw new HostError(
          "invalid",
          `a key of the state has ${key.length} characters; 1 to ${maxKeyLength} are allowed`,
        );
      }
      if (value !== null && Buffer.byteLength(value) > maxValueLength) {
        throw new HostError("invalid", `the state's "${key}" has more than ${maxValueLength} bytes`);
      }
    }
    return Object.fromEntries(writes.map(([key, value]) => [key, value ?? undefined]));
  }

  #invalid(
    what: string,
    error: { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] },
  ) {
    const issues = error.issues.map(({ path, message }) => `${path.map(String).join(".") || "it"}: ${message}`);
    return new HostError("invalid", `${what} returned an invalid value: ${issues.slice(0, 5).join("; ")}`);
  }

  #onEnd(reason: string): void {
    this.#state = "ended";
    this.#start.reject(new HostError("did not start", reason));
    // If nobody waits for the start any more, the rejection must not be unhandled.
    this.#start.promise.catch(() => {});
    for (const call of [...this.#calls.values()]) call.reject(new HostError("ended", reason));
  }
}
