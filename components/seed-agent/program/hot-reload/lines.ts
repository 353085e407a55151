/** The longest line that a fenced process may send, in bytes. */
export const maxLineBytes = 2 * 1024 * 1024;

/** Splits a stream into lines. @param tooLong called once for a line that is too long; later lines are dropped */
export function splitLines(onLine: (line: string) => void, tooLong: () => void): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let length = 0;
  let isOver = false;
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0 && !isOver; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      length += end - start;
      start = end + 1;
      if (length > maxLineBytes) break;
      const line = Buffer.concat(parts).toString("utf8");
      parts = [];
      length = 0;
      onLine(line);
    }
    if (isOver) return;
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > maxLineBytes) {
      isOver = true;
      parts = [];
      tooLong();
    }
  };
}
