import type { Channel, Message } from "./channel.ts";
import { given } from "./given.ts";

/** The agent's three extension points; see `seed.d.ts`. */
export interface Program {
  readonly handle?: unknown;
  readonly checks?: unknown;
  readonly plan?: unknown;
}

/** The service accepts lines of up to 2 MiB. 1 KiB is left for the rest of the message. */
const maxAnswer = 2 * 1024 * 1024 - 1024;
const maxKeyLength = 200;
const maxLogLines = 100;
const maxLogLength = 2000;

interface Call {
  readonly id: number;
  logs: number;
  reads: number;
  readonly waiting: Map<number, (value: string | undefined) => void>;
}

/** Runs calls of the agent's code, concurrently. */
export class Agent {
  readonly #channel: Channel;
  readonly #calls = new Map<number, Call>();
  readonly #stringify = JSON.stringify;
  readonly #byteLength = Buffer.byteLength;
  #program: Program = {};

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** @throws if there is no `handle` */
  load(program: Program): void {
    if (typeof program.handle !== "function") throw new TypeError("handle.ts has no default export that is a function");
    for (const name of ["checks", "plan"] as const) {
      if (program[name] !== undefined && typeof program[name] !== "function") {
        throw new TypeError(`${name}.ts has no default export that is a function`);
      }
    }
    this.#program = program;
  }

  /** Assigns a line that the code logged with `console` to its call. */
  log(message: string): void {
    const call = this.#calls.get(given.getStore()?.id ?? -1);
    if (call !== undefined) this.#log(call, message);
  }

  async call({ id, what, input, now, seed }: Message): Promise<void> {
    const call: Call = { id, logs: 0, reads: 0, waiting: new Map() };
    this.#calls.set(id, call);
    try {
      const writes = new Map<string, string | null>();
      const answer = await given.run({ id, now, seed }, () => this.#run(call, what, input, writes));
      this.#answer(id, answer, writes);
    } catch (error) {
      this.#channel.send({ type: "threw", id, message: describe(error) });
    } finally {
      this.#calls.delete(id);
    }
  }

  /** Passes a value of the state to the code that is waiting for it. */
  value({ id, read, value }: Message): void {
    const call = this.#calls.get(id);
    call?.waiting.get(read)?.(typeof value === "string" ? value : undefined);
    call?.waiting.delete(read);
  }

  async #run(call: Call, what: Message["what"], input: unknown, writes: Map<string, string | null>): Promise<unknown> {
    const { handle, checks, plan } = this.#program;
    const context = this.#context(call, writes);
    if (what === "checks") return typeof checks === "function" ? copyChecks(await checks(context)) : [];
    if (what === "plan") return typeof plan === "function" ? copyPlan(await plan(input)) : null;
    return typeof handle === "function" ? copyResponse(await handle(input, context)) : undefined;
  }

  #context(call: Call, writes: Map<string, string | null>) {
    return Object.freeze({
      now: () => given.getStore()?.now ?? 0,
      random: () => Math.random(),
      log: (message: unknown) => this.#log(call, String(message)),
      state: Object.freeze({
        get: (key: unknown) => this.#read(call, asText(key, "a key of the state"), writes),
        set: async (key: unknown, value: unknown) => {
          const name = asText(key, "a key of the state");
          writes.set(name, value === undefined ? null : asText(value, `the state's "${name}"`));
        },
      }),
    });
  }

  async #read(call: Call, key: string, writes: ReadonlyMap<string, string | null>): Promise<string | undefined> {
    const written = writes.get(key);
    if (written !== undefined) return written ?? undefined;
    if (key.length > maxKeyLength) throw new RangeError(`a key of the state has more than ${maxKeyLength} characters`);
    const read = call.reads++;
    if (read >= 100) throw new RangeError("state.get was called more than 100 times in one call");
    return new Promise((resolve) => {
      call.waiting.set(read, resolve);
      this.#channel.send({ type: "read", id: call.id, read, key });
    });
  }

  #log(call: Call, message: string): void {
    call.logs += 1;
    if (call.logs > maxLogLines) return;
    const text = call.logs === maxLogLines ? "(more lines are left out)" : message.slice(0, maxLogLength);
    this.#channel.send({ type: "log", id: call.id, message: text });
  }

  #answer(id: number, value: unknown, writes: ReadonlyMap<string, string | null>): void {
    const message = { type: "answer", id, value, writes: [...writes] };
    const length = this.#byteLength(this.#stringify(message) ?? "");
    if (length <= maxAnswer) {
      this.#channel.send(message);
      return;
    }
    const reason = `the answer with its changes of the state has ${length} bytes as JSON; at most ${maxAnswer} are allowed`;
    this.#channel.send({ type: "threw", id, message: reason, invalid: true });
  }
}

/** Reads each part exactly once, so that getters and Proxies have no effect later. */
function copyResponse(answer: unknown): unknown {
  if (!(answer instanceof Object))
    throw new TypeError(`handle answered ${nameOf(answer)}; it must be { status, headers, body }`);
  const { status, headers, body } = answer as { status?: unknown; headers?: unknown; body?: unknown };
  if (typeof status !== "number" || !Number.isInteger(status)) {
    throw new TypeError(`the answer's status is ${nameOf(status)}; it must be a whole number`);
  }
  const copied: [string, string][] = [];
  if (headers !== undefined) {
    if (!(headers instanceof Object))
      throw new TypeError(`the answer's headers are ${nameOf(headers)}; they must be an object`);
    for (const [name, value] of Object.entries(headers))
      copied.push([name, asText(value, `the answer's header "${name}"`)]);
  }
  return { status, headers: copied, body: body === undefined ? "" : asText(body, "the answer's body") };
}

function copyChecks(answer: unknown): unknown {
  if (!Array.isArray(answer)) throw new TypeError(`checks answered ${nameOf(answer)}; it must be an array`);
  return Array.from(answer, (check: { name?: unknown; ok?: unknown; detail?: unknown } | null | undefined) => {
    const { name, ok, detail } = check ?? {};
    if (typeof ok !== "boolean") throw new TypeError(`a check's ok is ${nameOf(ok)}; it must be true or false`);
    const words = detail === undefined ? {} : { detail: asText(detail, "a check's detail") };
    return { name: asText(name, "a check's name"), ok, ...words };
  });
}

const copyPlan = (answer: unknown): unknown => (answer === undefined ? null : asText(answer, "the plan"));

function asText(value: unknown, what: string): string {
  if (typeof value !== "string") throw new TypeError(`${what} is ${nameOf(value)}; it must be a string`);
  return value;
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === "number" || typeof value === "boolean" ? String(value) : `of type ${typeof value}`;
}

/** @returns the error's stack, in which the service finds the source line */
export function describe(error: unknown): string {
  try {
    if (error instanceof Error && typeof error.stack === "string") return error.stack.slice(0, 8000);
    return `threw ${String(error)}`.slice(0, 8000);
  } catch {
    return "threw something that can't be shown";
  }
}
