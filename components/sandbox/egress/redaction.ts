import { Transform, type TransformCallback } from "node:stream";

/**
 * Replaces secrets in a stream by as many `*`, so that its length stays the same, also where a secret arrives in pieces.
 * Holds back only what may be the beginning of a secret.
 */
export class Redaction extends Transform {
  readonly #secrets: readonly Buffer[];
  #held = Buffer.alloc(0);

  /** @param secrets none of them empty */
  constructor(secrets: readonly string[]) {
    super();
    this.#secrets = secrets.map((secret) => Buffer.from(secret));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const data = Buffer.concat([this.#held, chunk]);
    for (const secret of this.#secrets) {
      for (let at = data.indexOf(secret); at !== -1; at = data.indexOf(secret, at)) {
        data.fill("*", at, at + secret.length);
      }
    }
    const end = Math.min(...this.#secrets.map((secret) => beginningAtEnd(data, secret)), data.length);
    this.#held = data.subarray(end);
    done(null, data.subarray(0, end));
  }

  override _flush(done: TransformCallback): void {
    done(null, this.#held);
  }
}

/** @returns where a beginning of the secret starts that the data ends with; else the data's length */
function beginningAtEnd(data: Buffer, secret: Buffer): number {
  const first = secret.subarray(0, 1);
  const from = Math.max(0, data.length - secret.length + 1);
  for (let at = data.indexOf(first, from); at !== -1; at = data.indexOf(first, at + 1)) {
    if (data.subarray(at).equals(secret.subarray(0, data.length - at))) return at;
  }
  return data.length;
}
