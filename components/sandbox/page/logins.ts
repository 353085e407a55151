import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import * as z from "zod/mini";
import { readJsonOrNull, writePrivateFile } from "../../host/files.ts";
import { readRevocation } from "./revocation.ts";

/** How long a login lasts, in milliseconds. */
const loginMs = 30 * 24 * 3600_000;
/** The most logins. Beyond that, the oldest ones end. */
const mostLogins = 200;

const login = z.object({
  person: z.string(),
  expiresAt: z.number(),
  /** The id of the last revocation before the login. A later revocation ends it. */
  revocation: z._default(z.string(), ""),
});

const loginsFile = z.object({
  version: z.literal(1),
  /** By the SHA-256 of the token. */
  logins: z.record(z.string(), login),
});

/** The prefix distinguishes a login's token from a guest's. */
const tokenPattern = /^login-[\w-]{43}$/;

export function isLoginToken(token: string): boolean {
  return tokenPattern.test(token);
}

/** The logins of browsers that act as the installation's owner, in `logins.json`. */
export class Logins {
  readonly #folder: string;
  readonly #path: string;
  readonly #logins: Map<string, Readonly<z.output<typeof login>>>;

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, "logins.json");
    const read = loginsFile.safeParse(readJsonOrNull(this.#path)).data;
    this.#logins = new Map(Object.entries(read?.logins ?? {}));
  }

  /** @returns the token of a new login. @throws if it can't be saved */
  add(person: string, now: Date = new Date()): string {
    const token = `login-${randomBytes(32).toString("base64url")}`;
    const revocation = readRevocation(this.#folder);
    for (const [hash, each] of this.#logins) {
      if (each.expiresAt <= now.getTime() || each.revocation !== revocation) this.#logins.delete(hash);
    }
    this.#logins.set(hashOf(token), { person, expiresAt: now.getTime() + loginMs, revocation });
    for (const hash of this.#logins.keys()) if (this.#logins.size > mostLogins) this.#logins.delete(hash);
    this.#save();
    return token;
  }

  /** @returns the name of the person; undefined if the login has ended */
  person(token: string, now: Date = new Date()): string | undefined {
    const found = this.#logins.get(hashOf(token));
    if (found === undefined || found.expiresAt <= now.getTime()) return undefined;
    return found.revocation === readRevocation(this.#folder) ? found.person : undefined;
  }

  end(token: string): void {
    if (this.#logins.delete(hashOf(token))) this.#save();
  }

  #save(): void {
    const content: z.input<typeof loginsFile> = { version: 1, logins: Object.fromEntries(this.#logins) };
    writePrivateFile(this.#path, `${JSON.stringify(content)}\n`);
  }
}

/** A token has 256 random bits, so the time of a lookup by hash reveals nothing about it. */
function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}
