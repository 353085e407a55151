import { Transform, type TransformCallback } from "node:stream";
import { endBeforeSecrets } from "../../lib/cut-secrets.ts";

/**
 * Replaces secrets in a stream by as many `*`, so that its length stays the same, also where a secret arrives in pieces.
 * Holds back only what may be the beginning of a secret.
 */
export class Redaction extends Transform {
  /** Here and below, each character is a byte. */
  readonly #secrets: readonly string[];
  #held = "";

  /** @param secrets none of them empty */
  constructor(secrets: readonly string[]) {
    super();
    const bytes = secrets.map((secret) => Buffer.from(secret).toString("latin1"));
    // The longest first: one may contain another.
    this.#secrets = bytes.toSorted((one, other) => other.length - one.length);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const data = this.#held + chunk.toString("latin1");
    const end = endBeforeSecrets(data, this.#secrets);
    this.#held = data.slice(end);
    done(null, this.#redacted(data.slice(0, end)));
  }

  override _flush(done: TransformCallback): void {
    done(null, this.#redacted(this.#held));
  }

  #redacted(data: string): Buffer {
    const stars = (text: string, secret: string) => text.replaceAll(secret, "*".repeat(secret.length));
    return Buffer.from(this.#secrets.reduce(stars, data), "latin1");
  }
}
