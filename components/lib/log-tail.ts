const tailLines = 20;
/** A command that writes a file contains the whole file. */
const longestLine = 300;

export function shortened(line: string): string {
  return line.length > longestLine ? `${line.slice(0, longestLine)} …` : line;
}

/** Splits the log of an image's build into lines, passes them on, and keeps the last ones. */
export class LogTail {
  lines: string[] = [];
  #rest = "";
  readonly #onLine: ((line: string) => void) | undefined;

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  add(text: string): void {
    const parts = (this.#rest + text).split(/\r?\n/);
    this.#rest = parts.pop() ?? "";
    const lines = parts.map(shortened);
    for (const line of lines) this.#onLine?.(line);
    this.lines = [...this.lines, ...lines].slice(-tailLines);
  }

  end(): void {
    if (this.#rest !== "") this.add("\n");
  }
}
