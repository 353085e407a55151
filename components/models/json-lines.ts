/** The maximum length of a line, in characters. Longer lines are skipped. */
const maxLength = 64 * 1024 * 1024;

export interface JsonLinesOptions {
  /** Called with each line that is JSON. */
  readonly onValue: (value: unknown) => void;
  /** Called with each other line that is not empty. */
  readonly onText: (line: string) => void;
  readonly maxLength?: number;
}

/** Parses a program's output as JSON, one value per line, however it is split into pieces. Never throws. */
export class JsonLines {
  readonly #options: JsonLinesOptions;
  #pieces: string[] = [];
  #length = 0;

  constructor(options: JsonLinesOptions) {
    this.#options = options;
  }

  push(text: string): void {
    let start = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
      this.#add(text.slice(start, end));
      this.end();
      start = end + 1;
    }
    this.#add(text.slice(start));
  }

  /** Ends the output. The rest, if any, is a line. */
  end(): void {
    const line = this.#pieces.join("").trim();
    const isTooLong = this.#length > (this.#options.maxLength ?? maxLength);
    this.#pieces = [];
    this.#length = 0;
    if (isTooLong) this.#options.onText("(a line that is too long was skipped)");
    else if (line !== "") this.#line(line);
  }

  #line(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      this.#options.onText(line);
      return;
    }
    this.#options.onValue(value);
  }

  #add(piece: string): void {
    this.#length += piece.length;
    if (this.#length > (this.#options.maxLength ?? maxLength)) this.#pieces = [];
    else if (piece !== "") this.#pieces.push(piece);
  }
}
