import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { join } from "node:path";
import * as z from "zod/mini";
import type { Log } from "../../../../host/log.ts";
import { readStateFile, StateFile, type Unsaved } from "./state-file.ts";

/** Times are in milliseconds since 1970. */
const storedCode = z.object({
  agentId: z.string(),
  /** SHA-256 of the code, base64url. */
  hash: z.string().check(z.length(43)),
  expiresAt: z.number(),
  /** A used code is kept until it expires. */
  usedAt: z.optional(z.number()),
});

const codesFile = z.object({ version: z.literal(1), codes: z.array(storedCode) });

type StoredCode = z.infer<typeof storedCode>;

/** Beyond this, the oldest are evicted. */
const mostCodes = 1000;

/** One-time codes, in `codes.json`. A code is marked as used on disk before it is accepted. */
export class CodeStore {
  readonly #file: StateFile;
  readonly #now: () => number;
  #codes: StoredCode[];

  constructor(folder: string, now: () => number, log: Log) {
    const path = join(folder, "codes.json");
    this.#now = now;
    const read = readStateFile(path, (text) => z.parse(codesFile, JSON.parse(text)).codes, log);
    this.#codes = read === undefined || read === "damaged" ? [] : read;
    const content = () => `${JSON.stringify({ version: 1, codes: this.#codes } satisfies z.infer<typeof codesFile>)}\n`;
    this.#file = new StateFile({ path, content, withoutFile: "invalidates all login URLs", log });
  }

  mint(agentId: string, ttlSeconds: number): string {
    const code = randomBytes(32).toString("base64url");
    const expiresAt = this.#now() + ttlSeconds * 1000;
    this.#codes.push({ agentId, hash: digest(code).toString("base64url"), expiresAt });
    this.#write();
    return code;
  }

  /** @returns whether it was valid; it is now used */
  redeem(agentId: string, code: string): boolean {
    const wanted = digest(code);
    let found: StoredCode | undefined;
    for (const each of this.#codes) {
      const isSame = timingSafeEqual(Buffer.from(each.hash, "base64url"), wanted);
      if (isSame && each.agentId === agentId) found = each;
    }
    if (found === undefined || found.usedAt !== undefined || found.expiresAt <= this.#now()) return false;
    found.usedAt = this.#now();
    const unsaved = this.#write();
    // In memory, the code stays used. The login fails, because the code would be valid again after a restart.
    if (unsaved?.isOldGone === false) throw new Error(unsaved.problem);
    return true;
  }

  /** Invalidates an agent's unused codes. */
  revoke(agentId: string): Unsaved | undefined {
    this.#codes = this.#codes.filter((each) => each.agentId !== agentId);
    return this.#write();
  }

  #write(): Unsaved | undefined {
    const live = this.#codes.filter(({ expiresAt }) => expiresAt > this.#now());
    this.#codes = live.slice(-mostCodes);
    return this.#file.save();
  }
}

function digest(code: string): Buffer {
  return createHash("sha256").update(code).digest();
}
