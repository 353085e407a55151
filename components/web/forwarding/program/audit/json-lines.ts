import { openAppender } from "../../../../host/log.ts";

/** How long lines are buffered before they are written, in milliseconds. */
const flushMs = 1000;
/** Beyond this number in that time, lines are only counted, so that a flood of requests can't fill the disk. */
const mostAtOnce = 500;
/** Limit for the file, and for its predecessor. */
const maxBytes = 5_000_000;

export type Entry = Readonly<Record<string, string | number | undefined>>;

/** A private file with one JSON object per line, each with its time in `at`. It never throws. */
export class JsonLines {
  readonly #append: (lines: readonly string[]) => void;
  #waiting: string[] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string) {
    const gap = ({ count: lost, since, reason }: { count: number; since: string; reason: string }) =>
      lineOf({ lost, since, reason });
    this.#append = openAppender({ path, maxBytes, gap });
  }

  /** @param entry only called if the line is written */
  add(entry: () => Entry): void {
    if (this.#waiting.length >= mostAtOnce) this.#dropped += 1;
    else this.#waiting.push(lineOf(entry()));
    this.#timer ??= setTimeout(() => this.flush(), flushMs).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#waiting;
    if (this.#dropped > 0) lines.push(lineOf({ lost: this.#dropped, reason: "too many at once" }));
    this.#waiting = [];
    this.#dropped = 0;
    this.#append(lines);
  }
}

/** JSON escapes all control characters except these. */
const otherControls = /[\u007f-\u009f\u2028\u2029]/g;

function lineOf(entry: Entry): string {
  return JSON.stringify({ at: new Date().toISOString(), ...entry }).replace(
    otherControls,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
