import { duration } from "./times.ts";

/** Something that takes its time, and that goes on without whoever waits for it. */
export interface Awaited<Result> {
  /** What is going on, for instance `todo-ledger-… is running`; asked whenever it is shown. */
  readonly what: () => string;
  /** Said to a person who waits no more (Ctrl-C), for instance `it goes on; …`. */
  readonly afterwards: string;
  readonly end: Promise<Result>;
}

/** Waits with a line that says for how long: in place on a terminal, every 30 s elsewhere. */
export async function visibly<Result>({ what, afterwards, end }: Awaited<Result>): Promise<Result> {
  const started = Date.now();
  const isTerminal = process.stderr.isTTY === true;
  const show = () => {
    const text = `${what()} … ${duration((Date.now() - started) / 1000)}`;
    process.stderr.write(isTerminal ? `\r\u001b[K${text}` : `${text}\n`);
  };
  const leave = () => {
    process.stderr.write(`\n${afterwards}\n`);
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
