import { randomBytes } from "node:crypto";
import { chmodSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../../../../supervision/log.ts";
import { readOwn, writeDurably } from "./own-files.ts";

/** What the server's cookies are signed with: `key`, 32 random bytes as base64url, made at the first start. */

/** @returns undefined when there is none that can be used */
export function readKey(folder: string, log: Log): Buffer | undefined {
  const path = keyPath(folder);
  const key = readOwn(path, parseKey, log);
  if (key === undefined || key === "damaged") return undefined;
  if ((statSync(path).mode & 0o077) !== 0) {
    chmodSync(path, 0o600);
    log(`${path} could be read by others, and no longer can; if somebody did, make a new one: changeling revoke --all`);
  }
  return key;
}

/** Every cookie of the key before it is worth nothing. */
export function makeKey(folder: string): Buffer {
  const key = randomBytes(32);
  writeDurably(keyPath(folder), `${key.toString("base64url")}\n`);
  return key;
}

function parseKey(text: string): Buffer {
  if (!/^[\w-]{43}\n?$/.test(text)) throw new Error("no key");
  return Buffer.from(text.trim(), "base64url");
}

function keyPath(folder: string): string {
  return join(folder, "key");
}
