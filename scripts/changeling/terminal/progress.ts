import { plainWords } from "../../../components/lib/text.ts";
import { duration } from "../../../components/lib/times.ts";

/** Slow work, which may continue after the user stops waiting. */
export interface Wait<Result> {
  /** What is happening, in words, for instance `todo-ledger-… is running`; called each time it is shown. */
  readonly what: () => string;
  /** Shown if the user stops waiting (Ctrl-C), for instance `it keeps running; …`; undefined: the work ends with this process. */
  readonly afterwards?: string;
  /** The work takes only seconds: progress is shown only on a terminal, so that a script's stderr contains only warnings. */
  readonly isShort?: boolean;
  readonly end: Promise<Result>;
}

/** Waits, and shows the elapsed time: in one line on a terminal, as a new line every 30 s elsewhere. */
export async function withProgress<Result>({ what, afterwards, isShort = false, end }: Wait<Result>): Promise<Result> {
  const started = Date.now();
  const isTerminal = process.stderr.isTTY === true;
  if (isShort && !isTerminal) return end;
  const show = () => {
    const text = plainWords(`${what()} … ${duration((Date.now() - started) / 1000)}`);
    process.stderr.write(isTerminal ? `\r\u001b[K${text}` : `${text}\n`);
  };
  const leave = () => {
    process.stderr.write(afterwards === undefined ? "\n" : `\n${afterwards}\n`);
    process.exit(130);
  };
  const timer = setInterval(show, isTerminal ? 1000 : 30_000);
  process.once("SIGINT", leave);
  show();
  try {
    return await end;
  } finally {
    process.off("SIGINT", leave);
    clearInterval(timer);
    if (isTerminal) process.stderr.write("\r\u001b[K");
  }
}

/** Waits for several things concurrently, and shows which are still pending. @param verb for instance "checking" */
export function withProgressOfAll<const Parts extends Readonly<Record<string, Promise<unknown>>>>(
  verb: string,
  parts: Parts,
): Promise<{ -readonly [Name in keyof Parts]: Awaited<Parts[Name]> }> {
  const pending = new Set(Object.keys(parts));
  const entries = Object.entries(parts).map(async ([name, part]) => {
    const result = await part;
    pending.delete(name);
    return [name, result] as const;
  });
  const end = Promise.all(entries).then(Object.fromEntries);
  return withProgress({ what: () => `${verb} ${[...pending].join(", ")}`, end });
}
