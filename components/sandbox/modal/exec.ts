import { setTimeout as sleep } from "node:timers/promises";
import type { ContainerProcess, Sandbox as ModalSandbox } from "modal";
import { type ExecEnd, type ExecOptions, maxOutputCharacters } from "../provider.ts";
import { stopByte, supervised, supervisedInput } from "../supervisor.ts";

/** How long to wait for the supervisor after the program's timeout. */
const graceSeconds = 30;
const stopSeconds = 15;
/** How long to wait for the rest of the output after the program has ended. */
const drainSeconds = 15;
/** How often to check that the sandbox still exists while a program runs. */
const watchSeconds = 3;
const chunkBytes = 1024 * 1024;

const timedOut = 124;
const stopped = 130;
const printedTooMuch = 137;

type Program = ContainerProcess<Uint8Array>;

/**
 * Runs a program in a sandbox on Modal. The SDK can only start programs, so a supervisor in the sandbox ends them.
 *
 * The environment is sent to the machine that runs the sandbox, over TLS. A Modal Secret would be stored in the account, and
 * all programs of the sandbox would see it.
 *
 * @param hasEnded whether the sandbox has ended
 * @returns undefined if the sandbox has ended, which ends its programs too
 */
export async function execOnModal(
  sandbox: ModalSandbox,
  argv: readonly string[],
  options: ExecOptions,
  hasEnded: () => Promise<boolean>,
): Promise<ExecEnd | undefined> {
  try {
    return await run(sandbox, argv, options, hasEnded);
  } catch (error) {
    if (await hasEnded()) return undefined;
    throw error;
  }
}

async function run(
  sandbox: ModalSandbox,
  argv: readonly string[],
  options: ExecOptions,
  hasEnded: () => Promise<boolean>,
): Promise<ExecEnd | undefined> {
  const { signal, timeoutSeconds, env = {}, cwd = "/", stdin = "" } = options;
  if (signal?.aborted) return { code: stopped, stdout: "", stderr: "" };
  const program: Program = await sandbox.exec(supervised(argv, { timeoutSeconds, cwd }), {
    mode: "binary",
    workdir: "/",
    env: { ...env },
    timeoutMs: (timeoutSeconds + 2 * graceSeconds) * 1000,
  });
  const input = inputOf(program);
  input(supervisedInput(stdin));
  const output = new Output(program, options);
  const over = new AbortController();
  const stop = () => input(Buffer.from(stopByte));
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) stop();
  try {
    const code = await Promise.race([
      program.wait(),
      watch(hasEnded, over.signal).then(() => undefined),
      after(timeoutSeconds + graceSeconds, over.signal).then(() => timedOut),
      Promise.race([aborted(signal), output.isTooMuch.then(stop)])
        .then(() => after(stopSeconds, over.signal))
        .then(() => stopped),
    ]);
    if (output.hasTooMuch) return { code: printedTooMuch, ...output.text };
    // That the program or its supervisor was killed can be the first sign that the sandbox has ended.
    if (code === undefined || (code > 128 && code !== stopped && (await hasEnded()))) return undefined;
    await Promise.race([output.read, after(drainSeconds, over.signal)]);
    // What it printed may arrive after its end.
    return { code: output.hasTooMuch ? printedTooMuch : code, ...output.text };
  } finally {
    signal?.removeEventListener("abort", stop);
    over.abort();
    output.close();
  }
}

/** Resolves when the sandbox has ended. The SDK doesn't always notice: it keeps retrying to read the output. */
async function watch(hasEnded: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  do await after(watchSeconds, signal);
  while (!(await hasEnded()));
}

/** @returns a function that writes bytes to the program's input, in order, and ignores that it has ended */
function inputOf(program: Program): (bytes: Uint8Array) => void {
  const writer = program.stdin.getWriter();
  let last = Promise.resolve();
  return (bytes) => {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      last = last.then(() => writer.write(bytes.subarray(at, at + chunkBytes))).catch(() => {});
    }
  };
}

class Output {
  readonly text = { stdout: "", stderr: "" };
  /** Resolves when both streams have ended. */
  readonly read: Promise<unknown>;
  /** Resolves when a stream exceeds the limit. */
  readonly isTooMuch: Promise<void>;
  hasTooMuch = false;
  readonly #maxOutput: number;
  readonly #keepsOutput: boolean;
  readonly #resolveTooMuch: () => void;
  readonly #readers: readonly ReadableStreamDefaultReader<Uint8Array>[];
  readonly #onOutput: ExecOptions["onOutput"];
  #isOpen = true;

  constructor(program: Program, { maxOutput = maxOutputCharacters, keepsOutput = true, onOutput }: ExecOptions) {
    ({ promise: this.isTooMuch, resolve: this.#resolveTooMuch } = Promise.withResolvers<void>());
    this.#maxOutput = maxOutput;
    this.#keepsOutput = keepsOutput;
    const [stdout, stderr] = [program.stdout.getReader(), program.stderr.getReader()];
    this.#onOutput = onOutput;
    this.#readers = [stdout, stderr];
    this.read = Promise.allSettled([this.#follow(stdout, "stdout"), this.#follow(stderr, "stderr")]);
  }

  close(): void {
    this.#isOpen = false;
    for (const reader of this.#readers) void reader.cancel().catch(() => {});
  }

  #endTooMuch(): void {
    this.hasTooMuch = true;
    this.text.stderr += `\nkilled: it printed more than ${this.#maxOutput} characters\n`;
    this.#resolveTooMuch();
  }

  async #follow(reader: ReadableStreamDefaultReader<Uint8Array>, stream: "stdout" | "stderr"): Promise<void> {
    const decoder = new TextDecoder();
    let printed = 0;
    for (;;) {
      const { done, value } = await reader.read();
      const text = decoder.decode(value, { stream: !done });
      if (text !== "" && this.#isOpen && !this.hasTooMuch) {
        printed += text.length;
        if (this.#keepsOutput) this.text[stream] += text;
        this.#onOutput?.(text, stream);
        if (printed > this.#maxOutput) this.#endTooMuch();
      }
      if (done) return;
    }
  }
}

/** Never resolves once the signal is aborted. Doesn't keep this process running. */
async function after(seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(seconds * 1000, undefined, { signal, ref: false });
  } catch {
    await new Promise<never>(() => {});
  }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve();
    else signal?.addEventListener("abort", () => resolve(), { once: true });
  });
}
