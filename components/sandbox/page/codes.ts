import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import * as z from "zod/mini";
import { personName } from "../sessions/protocol.ts";

/** How long a login URL can be used, in milliseconds. */
export const codeMs = 15 * 60_000;

const content = z.object({ person: personName, expiresAt: z.number(), nonce: z.string() });

/** A code that logs one browser in, once. Whoever can read the key can make one. */
export function newCode(key: string, person: string, now: Date = new Date()): string {
  const text = JSON.stringify({
    person,
    expiresAt: now.getTime() + codeMs,
    nonce: randomBytes(16).toString("base64url"),
  } satisfies z.input<typeof content>);
  const body = Buffer.from(text).toString("base64url");
  return `${body}.${signature(key, body)}`;
}

/** Accepts each code once. A new key, at each start of the server, makes older codes void. */
export class Codes {
  readonly #key: string;
  /** The expiry of used codes, by nonce. */
  readonly #used = new Map<string, number>();

  constructor(key: string) {
    this.#key = key;
  }

  /** @returns the name of the person, or undefined if the code is not valid; it can't be used again */
  use(code: string, now: Date = new Date()): string | undefined {
    const [body = "", given = "", ...rest] = code.split(".");
    if (rest.length > 0 || !isSame(given, signature(this.#key, body))) return undefined;
    const { person, expiresAt, nonce } = content.parse(JSON.parse(Buffer.from(body, "base64url").toString("utf8")));
    for (const [each, until] of this.#used) if (until <= now.getTime()) this.#used.delete(each);
    if (expiresAt <= now.getTime() || this.#used.has(nonce)) return undefined;
    this.#used.set(nonce, expiresAt);
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
