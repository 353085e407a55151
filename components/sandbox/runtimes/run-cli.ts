import { masked } from "../../lib/masking.ts";
import { plainWords } from "../../lib/text.ts";
import type { ExecEnd, Sandbox } from "../provider.ts";
import { SandboxGone } from "../provider.ts";
import { JsonLines } from "./json-lines.ts";
import { RuntimeError } from "./runtime.ts";

/** How long a program may take to end after it was aborted, before it is given up. */
const graceSeconds = 20;

export interface CliRun {
  readonly sandbox: Sandbox;
  /** The CLI's name, for errors. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: string;
  readonly timeoutSeconds: number;
  readonly idleTimeoutSeconds: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with each line of JSON. */
  readonly onValue: (value: unknown) => void;
  /** Whether a tool runs, for which the model's silence is no fault. */
  isBusy(): boolean;
  /** An error that makes it pointless to wait for the CLI's end. */
  fatal(): RuntimeError | undefined;
}

export interface CliEnd {
  readonly code: number;
  /** The tail of what it printed apart from JSON. */
  readonly text: string;
}

/**
 * Runs an agent's CLI in the sandbox within limits of our own: the CLIs wait forever for a stream that went silent.
 *
 * @throws RuntimeError `cancelled`, `timeout`, `sandbox_gone`, or what `fatal` returned
 */
export async function runCli(run: CliRun): Promise<CliEnd> {
  if (run.signal?.aborted) throw cancelled();
  const stop = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  let reason: RuntimeError | undefined;
  const abort = (error: RuntimeError): void => {
    reason ??= error;
    stop.abort();
  };
  const onAbort = (): void => abort(cancelled());
  run.signal?.addEventListener("abort", onAbort, { once: true });
  const after = (seconds: number, action: () => void): NodeJS.Timeout => {
    const timer = setTimeout(action, seconds * 1000);
    timers.add(timer);
    return timer;
  };
  after(run.timeoutSeconds, () => abort(timeout(run, `took longer than ${run.timeoutSeconds} seconds`)));
  const idle = after(run.idleTimeoutSeconds, () => {
    if (run.isBusy()) idle.refresh();
    else abort(timeout(run, `the model was silent for ${run.idleTimeoutSeconds} seconds`));
  });

  const text = new Tail();
  const lines = new JsonLines({
    onText: (line) => text.add(`${line}\n`),
    onValue(value) {
      // What arrives after the end was decided must not be reported any more.
      if (reason !== undefined) return;
      idle.refresh();
      run.onValue(value);
      const fatal = run.fatal();
      if (fatal !== undefined) abort(fatal);
    },
  });
  try {
    const exec = run.sandbox.exec(run.argv, {
      timeoutSeconds: run.timeoutSeconds + graceSeconds,
      cwd: run.cwd,
      env: run.env,
      stdin: run.stdin,
      signal: stop.signal,
      onOutput: (piece, stream) => (stream === "stdout" ? lines.push(piece) : text.add(piece)),
    });
    const end = await Promise.race([exec, endless(stop.signal, after)]);
    lines.end();
    if (reason !== undefined) throw reason;
    return { code: end.code, text: text.value };
  } catch (error) {
    if (reason !== undefined) throw reason;
    if (error instanceof SandboxGone) throw new RuntimeError("sandbox_gone", error.message, { cause: error });
    if (error instanceof RuntimeError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new RuntimeError("runtime_failed", `${run.name} could not be run: ${why}`, { cause: error });
  } finally {
    for (const timer of timers) clearTimeout(timer);
    run.signal?.removeEventListener("abort", onAbort);
  }
}

/** Rejects if a program does not end although it was aborted. */
function endless(signal: AbortSignal, after: (seconds: number, action: () => void) => void): Promise<ExecEnd> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => after(graceSeconds, () => reject(new Error("it does not end"))), {
      once: true,
    });
  });
}

function cancelled(): RuntimeError {
  return new RuntimeError("cancelled", "the prompt was cancelled");
}

function timeout({ name }: CliRun, why: string): RuntimeError {
  return new RuntimeError("timeout", `${name}: ${why}`);
}

/** The end of a text that may be long. */
class Tail {
  value = "";

  add(text: string): void {
    this.value = (this.value + text).slice(-4000);
  }
}

/** A reason from outside, for an error: one line without control characters and secrets. */
export function reasonOf(text: string, env: Readonly<Record<string, string>>): string {
  const line = plainWords(
    masked(
      text,
      Object.values(env).filter((value) => value.length >= 8),
    ),
  )
    .replace(/\s+/g, " ")
    .trim();
  return line.length > 1000 ? `${line.slice(0, 500)} … ${line.slice(-499)}` : line;
}
