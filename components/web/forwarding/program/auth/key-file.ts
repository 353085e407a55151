import { randomBytes } from "node:crypto";
import { chmodSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../../../../host/log.ts";
import { changelingCommand } from "../../../../lib/own-commands.ts";
import { readStateFile, StateFile, type Unsaved } from "./state-file.ts";

/** The signing key of the server's cookies: `key`, 32 random bytes as base64url, created at the first start. */
export class KeyFile {
  readonly #file: StateFile;
  #key: Buffer;

  /** @param isTrusted whether an existing key may be used */
  constructor(folder: string, log: Log, { isTrusted }: { readonly isTrusted: boolean }) {
    const path = join(folder, "key");
    const found = readKey(path, log);
    const content = () => `${this.#key.toString("base64url")}\n`;
    this.#file = new StateFile({ path, content, withoutFile: "ends all logins", log });
    this.#key = found ?? randomBytes(32);
    if (found === undefined || !isTrusted) this.rotate();
  }

  get key(): Buffer {
    return this.#key;
  }

  /** Invalidates every cookie of the previous key. */
  rotate(): Unsaved | undefined {
    this.#key = randomBytes(32);
    return this.#file.save();
  }
}

/** @returns undefined if there is no usable key */
function readKey(path: string, log: Log): Buffer | undefined {
  const key = readStateFile(path, parseKey, log);
  if (key === undefined || key === "damaged") return undefined;
  if ((statSync(path).mode & 0o077) !== 0) {
    chmodSync(path, 0o600);
    log(
      `${path} was readable by other users, so its mode was set to 0600; if somebody may have read it, replace it with: ${changelingCommand()} revoke --all`,
    );
  }
  return key;
}

function parseKey(text: string): Buffer {
  if (!/^[\w-]{43}\n?$/.test(text)) throw new Error("no key");
  return Buffer.from(text.trim(), "base64url");
}
