import { randomBytes } from "node:crypto";
import { chmodSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../../../../host/log.ts";
import { changelingCommand } from "../../../../lib/own-commands.ts";
import { OwnFile, readOwn, type Unsaved } from "./own-files.ts";

/** What the server's cookies are signed with: `key`, 32 random bytes as base64url, made at the first start. */
export class KeyFile {
  readonly #file: OwnFile;
  #key: Buffer;

  /** @param isTrusted whether a key that is there may be used */
  constructor(folder: string, log: Log, { isTrusted }: { readonly isTrusted: boolean }) {
    const path = join(folder, "key");
    const found = readKey(path, log);
    const content = () => `${this.#key.toString("base64url")}\n`;
    this.#file = new OwnFile({ path, content, withoutIt: "ends all logins", log });
    this.#key = found ?? randomBytes(32);
    if (found === undefined || !isTrusted) this.rotate();
  }

  get key(): Buffer {
    return this.#key;
  }

  /** Every cookie of the key before it is worth nothing. */
  rotate(): Unsaved | undefined {
    this.#key = randomBytes(32);
    return this.#file.save();
  }
}

/** @returns undefined when there is none that can be used */
function readKey(path: string, log: Log): Buffer | undefined {
  const key = readOwn(path, parseKey, log);
  if (key === undefined || key === "damaged") return undefined;
  if ((statSync(path).mode & 0o077) !== 0) {
    chmodSync(path, 0o600);
    log(
      `${path} could be read by others, and no longer can; if somebody did, make a new one: ${changelingCommand()} revoke --all`,
    );
  }
  return key;
}

function parseKey(text: string): Buffer {
  if (!/^[\w-]{43}\n?$/.test(text)) throw new Error("no key");
  return Buffer.from(text.trim(), "base64url");
}
