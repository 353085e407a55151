import { isUtf8 } from "node:buffer";

/**
 * Splits a stream of bytes into lines, as Go's bufio.Scanner does: it also drops a carriage return before the newline.
 */
export class LineSplitter {
  private rest: Buffer[] = [];

  /** The lines that these bytes complete. */
  push(bytes: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf("\n"); end !== -1; end = bytes.indexOf("\n", start)) {
      lines.push(toLine([...this.rest, bytes.subarray(start, end)]));
      this.rest = [];
      start = end + 1;
    }
    if (start < bytes.length) this.rest.push(bytes.subarray(start));
    return lines;
  }

  /** The last line, if it had no newline. */
  end(): string[] {
    return this.rest.length === 0 ? [] : [toLine(this.rest)];
  }
}

function toLine(parts: Buffer[]): string {
  const bytes = Buffer.concat(parts);
  const text = bytes.toString().replace(/\r$/, "");
  // Each run of invalid UTF-8 becomes one replacement character, not one per byte.
  return isUtf8(bytes) ? text : text.replace(/\uFFFD+/g, "\uFFFD");
}
