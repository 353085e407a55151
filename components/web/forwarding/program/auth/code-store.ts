import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { join } from "node:path";
import * as z from "zod/mini";
import type { Log } from "../../../../supervision/log.ts";
import { readOwn, writeDurably } from "./own-files.ts";

/** Times are in milliseconds since 1970. */
const storedCode = z.object({
  agentId: z.string(),
  /** SHA-256 of the code, base64url. */
  hash: z.string().check(z.length(43)),
  expiresAt: z.number(),
  /** Once used, it stays until it expires. */
  usedAt: z.optional(z.number()),
});

const codesFile = z.object({ version: z.literal(1), codes: z.array(storedCode) });

type StoredCode = z.infer<typeof storedCode>;

/** The oldest make room for new ones. */
const mostCodes = 1000;

/** One-time codes, in `codes.json`. A code is used up on the disk before anybody hears that it was good. */
export class CodeStore {
  readonly #path: string;
  readonly #now: () => number;
  #codes: StoredCode[];

  constructor(folder: string, now: () => number, log: Log) {
    this.#path = join(folder, "codes.json");
    this.#now = now;
    const read = readOwn(this.#path, (text) => z.parse(codesFile, JSON.parse(text)).codes, log);
    this.#codes = read === undefined || read === "damaged" ? [] : read;
  }

  mint(agentId: string, ttlSeconds: number): { code: string; expiresAt: number } {
    const code = randomBytes(32).toString("base64url");
    const expiresAt = this.#now() + ttlSeconds * 1000;
    this.#codes.push({ agentId, hash: digest(code).toString("base64url"), expiresAt });
    this.#write();
    return { code, expiresAt };
  }

  /** @returns whether it was good, and is now used up */
  redeem(agentId: string, code: string): boolean {
    const wanted = digest(code);
    let found: StoredCode | undefined;
    for (const each of this.#codes) {
      const isSame = timingSafeEqual(Buffer.from(each.hash, "base64url"), wanted);
      if (isSame && each.agentId === agentId) found = each;
    }
    if (found === undefined || found.usedAt !== undefined || found.expiresAt <= this.#now()) return false;
    // Should the write fail, it stays used here: nobody was let in with it, and whether it is on the disk is not known.
    found.usedAt = this.#now();
    this.#write();
    return true;
  }

  /** The codes of an agent that were not used yet are no good any more. */
  revoke(agentId: string): void {
    this.#codes = this.#codes.filter((each) => each.agentId !== agentId);
    this.#write();
  }

  #write(): void {
    const live = this.#codes.filter(({ expiresAt }) => expiresAt > this.#now());
    this.#codes = live.slice(-mostCodes);
    writeDurably(
      this.#path,
      `${JSON.stringify({ version: 1, codes: this.#codes } satisfies z.infer<typeof codesFile>)}\n`,
    );
  }
}

function digest(code: string): Buffer {
  return createHash("sha256").update(code).digest();
}
