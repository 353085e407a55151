import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import * as z from "zod/mini";
import { personName } from "../sessions/protocol.ts";

/** How long a login URL can be used, in milliseconds. */
export const codeMs = 15 * 60_000;

const content = z.object({ person: personName, expiresAt: z.number(), nonce: z.string() });

/**
 * The key that signs codes. It changes with each revocation, so that all earlier codes become invalid.
 *
 * @param key of the page's server
 */
export function signingKey(key: string, revocation: string): string {
  return `${key}${revocation}`;
}

/** Makes a code that logs one browser in, once. Anybody who can read the key can make one. */
export function newCode(key: string, person: string, now: Date = new Date()): string {
  const text = JSON.stringify({
    person,
    expiresAt: now.getTime() + codeMs,
    nonce: randomBytes(16).toString("base64url"),
  } satisfies z.input<typeof content>);
  const body = Buffer.from(text).toString("base64url");
  return `${body}.${signature(key, body)}`;
}

/** Accepts each code once. The server makes a new key at each start, which invalidates older codes. */
export class Codes {
  readonly #key: () => string;
  /** The nonces of used codes. They are never dropped, so that no code becomes valid again if the clock is set back. */
  readonly #used = new Set<string>();

  /** @param key called for each code */
  constructor(key: () => string) {
    this.#key = key;
  }

  /** @returns the name of the person, or undefined if the code is not valid; it can't be used again */
  use(code: string, now: Date = new Date()): string | undefined {
    const [body = "", given = "", ...rest] = code.split(".");
    if (rest.length > 0 || !isSame(given, signature(this.#key(), body))) return undefined;
    const { person, expiresAt, nonce } = content.parse(JSON.parse(Buffer.from(body, "base64url").toString("utf8")));
    if (expiresAt <= now.getTime() || this.#used.has(nonce)) return undefined;
    this.#used.add(nonce);
    return person;
  }
}

function signature(key: string, body: string): string {
  return createHmac("sha256", key).update(body).digest("base64url");
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
