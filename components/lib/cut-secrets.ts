/**
 * Where a text that may continue can be cut, so that no secret is cut in two: everything before can be redacted by itself.
 * A secret that is complete, but also the beginning of a longer one, stays whole in what is held back.
 *
 * @param secrets none of them empty
 * @returns an index into the text
 */
export function endBeforeSecrets(text: string, secrets: readonly string[]): number {
  let end = text.length - Math.max(0, ...secrets.map((secret) => overlap(text, secret)));
  for (;;) {
    const start = Math.min(end, ...secrets.map((secret) => startAcross(text, secret, end)));
    if (start === end) return end;
    end = start;
  }
}

/** The length of the longest suffix of a text that is a prefix of a secret, but not the whole secret. */
function overlap(text: string, secret: string): number {
  for (let length = Math.min(secret.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(secret.slice(0, length))) return length;
  }
  return 0;
}

/** Where the first occurrence of a secret starts that a cut at `end` would divide; else `end`. */
function startAcross(text: string, secret: string, end: number): number {
  const start = text.indexOf(secret, Math.max(0, end - secret.length + 1));
  return start === -1 ? end : Math.min(start, end);
}
