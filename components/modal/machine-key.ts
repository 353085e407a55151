import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { writeWholeFile } from "../host/files.ts";
import { readText } from "../host/read-toml.ts";
import { runProgram } from "../lib/process.ts";
import { modalEnvironment } from "./environment.ts";
import { type PersonIdentity, personEnvironment, personIdentity, type StackIdentity } from "./identity.ts";

/** Where mngr 0.3.0 looks for the key with which it connects to agents of others. The public key is next to it. */
function machineKeyFile(profileDir: string): string {
  return join(profileDir, "providers", "modal", "modal", "keys", "modal_ssh_key");
}

/**
 * The public key with which this machine's mngr connects to agents of others (`mngr connect`). The pair is created if
 * necessary.
 *
 * @returns one line, as in authorized_keys
 */
export async function ensureMachineKey(profileDir: string, env: NodeJS.ProcessEnv): Promise<string> {
  const key = machineKeyFile(profileDir);
  const folder = dirname(key);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(key)) await makeKey(folder, key, env);
  const publicKey = readText(`${key}.pub`)?.trim();
  if (publicKey) return publicKey;
  // Only the private key exists: the process that created it was killed, or the user put it here.
  const derived = `${(await keygen(["-y", "-P", "", "-f", key], env)).trim()}\n`;
  writeWholeFile(`${key}.pub`, derived, { mode: 0o644 });
  return derived.trim();
}

/** The name of its file among the stack's. It depends on the key alone, because the comment may change. */
export function publicKeyFile(publicKey: string): string {
  const key = publicKey.trim().split(/\s+/).slice(0, 2).join(" ");
  return `${createHash("sha256").update(key).digest("hex").slice(0, 16)}.pub`;
}

async function makeKey(folder: string, key: string, env: NodeJS.ProcessEnv): Promise<void> {
  const draft = mkdtempSync(join(folder, ".new-"));
  try {
    const made = join(draft, "key");
    await keygen(["-q", "-t", "ed25519", "-N", "", "-C", `changelings@${hostname()}`, "-f", made], env);
    // Of two concurrent writers the first wins, and the pair always matches.
    linkSync(made, key);
    writeWholeFile(`${key}.pub`, readFileSync(`${made}.pub`), { mode: 0o644 });
  } catch (error) {
    if (!existsSync(key)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function keygen(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const { code, stdout, stderr } = await runProgram("ssh-keygen", args, {
    env: modalEnvironment(env),
    timeoutSeconds: 30,
  });
  if (code === 0) return stdout;
  const reason = stderr.trim().split("\n").at(-1) ?? "";
  throw new Error(`ssh-keygen failed: ${reason}; it is part of OpenSSH: apt-get install openssh-client`);
}

/** A machine whose mngr can act as a stack, through the user's own identity or a separate one. */
export interface KnownMachine {
  readonly hostDir: string;
  /** The name of its public key's file on the stack's home volume; undefined if it has no key. */
  readonly keyFile: string | undefined;
}

/** Read-only (see `authorizeMachine`). @returns undefined if no mngr here can act as the stack */
export function knownMachine(stack: StackIdentity, env: NodeJS.ProcessEnv): KnownMachine | undefined {
  const own = personIdentity(env, { profile: stack.mngrProfile });
  const aside = personIdentity({
    ...env,
    MNGR_HOST_DIR: `${own.hostDir}-${stack.stack}`,
    MNGR_PREFIX: undefined,
    MNGR_USER_ID: undefined,
  });
  const found = [own, aside].find((identity) => personEnvironment(identity) === stack.environment);
  return found === undefined ? undefined : { hostDir: found.hostDir, keyFile: keyFileOf(found) };
}

function keyFileOf({ profileDir }: PersonIdentity): string | undefined {
  const publicKey = profileDir === undefined ? undefined : readText(`${machineKeyFile(profileDir)}.pub`)?.trim();
  return publicKey ? publicKeyFile(publicKey) : undefined;
}
