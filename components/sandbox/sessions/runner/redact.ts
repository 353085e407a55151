import { endBeforeSecrets } from "../../../lib/cut-secrets.ts";

/** Shorter values are not redacted, because they occur in ordinary text. */
const leastLength = 6;

/** Replaces the values of secrets with `***`, even in text that arrives in pieces. */
export class Redactor {
  readonly #secrets: readonly string[];

  constructor(values: readonly string[]) {
    const lines = values.flatMap((value) => [value, ...value.split("\n")]).map((value) => value.trim());
    const long = new Set(lines.filter((value) => value.length >= leastLength));
    // The longest first: one may contain another.
    this.#secrets = [...long].sort((a, b) => b.length - a.length);
  }

  text(text: string): string {
    return this.#secrets.reduce((redacted, secret) => redacted.replaceAll(secret, "***"), text);
  }

  /** Redacts all strings of a JSON value. */
  json(value: unknown): unknown {
    if (this.#secrets.length === 0) return value;
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return value.map((each) => this.json(each));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [this.text(key), this.json(each)]));
  }

  /**
   * Splits a text that may continue.
   *
   * @returns the redacted text that can be shown, and the end of the text, which belongs before what follows
   */
  split(text: string): readonly [shown: string, held: string] {
    const end = endBeforeSecrets(text, this.#secrets);
    return [this.text(text.slice(0, end)), text.slice(end)];
  }
}
