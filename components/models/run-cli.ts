import { JsonLines } from "./json-lines.ts";

/** How long to wait for a program's end after it was aborted. */
const graceSeconds = 20;

export interface CliRun {
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
  /** Whether a tool is running, so that the model's silence is normal. */
  isBusy(): boolean;
  /** An error that makes it pointless to wait for the CLI's end. */
  fatal(): Error | undefined;
  /** Runs it, and kills it with all its descendants when the signal aborts. */
  exec(
    argv: readonly string[],
    options: {
      readonly timeoutSeconds: number;
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
      readonly stdin: string;
      readonly signal: AbortSignal;
      readonly onOutput: (text: string, stream: "stdout" | "stderr") => void;
    },
  ): Promise<{ readonly code: number }>;
}

export interface CliEnd {
  readonly code: number;
  /** The tail of its output, without JSON. */
  readonly text: string;
}

/** The run was ended early. */
export class CliStopped extends Error {
  override readonly name = "CliStopped";
  readonly code: "cancelled" | "timeout";

  constructor(code: CliStopped["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Runs an agent's CLI within our own limits: the CLIs wait forever for a stream that went silent.
 *
 * @throws CliStopped; what `fatal` returned; what `exec` rejects with
 */
export async function runCli(run: CliRun): Promise<CliEnd> {
  if (run.signal?.aborted) throw cancelled();
  const stop = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  let reason: Error | undefined;
  const abort = (error: Error): void => {
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
      // Don't report values that arrive after the run was stopped.
      if (reason !== undefined) return;
      idle.refresh();
      run.onValue(value);
      const fatal = run.fatal();
      if (fatal !== undefined) abort(fatal);
    },
  });
  try {
    const exec = run.exec(run.argv, {
      timeoutSeconds: run.timeoutSeconds + graceSeconds,
      cwd: run.cwd,
      env: run.env,
      stdin: run.stdin,
      signal: stop.signal,
      onOutput: (piece, stream) => (stream === "stdout" ? lines.push(piece) : text.add(piece)),
    });
    const end = await Promise.race([exec, notEnding(stop.signal, after)]);
    lines.end();
    if (reason !== undefined) throw reason;
    return { code: end.code, text: text.value };
  } catch (error) {
    throw reason ?? error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    run.signal?.removeEventListener("abort", onAbort);
  }
}

/** Rejects if a program does not end although it was aborted. */
function notEnding(signal: AbortSignal, after: (seconds: number, action: () => void) => void): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => after(graceSeconds, () => reject(new Error("it does not end"))), {
      once: true,
    });
  });
}

function cancelled(): CliStopped {
  return new CliStopped("cancelled", "the prompt was cancelled");
}

function timeout({ name }: CliRun, why: string): CliStopped {
  return new CliStopped("timeout", `${name}: ${why}`);
}

/** The end of a long text. */
class Tail {
  value = "";

  add(text: string): void {
    this.value = (this.value + text).slice(-4000);
  }
}

/** Why a program failed, by its output that is not JSON. */
export function reasonOfEnd(name: string, end: CliEnd): string {
  const reason = end.text.trim().split("\n").slice(-3).join(" ");
  return `${name} ended with code ${end.code}: ${reason || "it gave no reason"}`;
}
