const tailLines = 20;
/** A step that writes a file contains all of it. */
const longestLine = 300;

export function shortened(line: string): string {
  return line.length > longestLine ? `${line.slice(0, longestLine)} …` : line;
}

/** The log of an image's build: passes on whole lines, and keeps the last ones. */
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
