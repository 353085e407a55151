import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "smol-toml";
import { writeWholeFile } from "../host/files.ts";
import { readText } from "../host/read-toml.ts";
import { profileHostDir } from "../mngr/profile.ts";
import { type HomeVolume, keysFolder } from "./home-volume.ts";
import {
  activeProfile,
  type IdentityOptions,
  type PersonIdentity,
  personIdentity,
  type StackIdentity,
} from "./identity.ts";
import { ensureMachineKey, publicKeyFile } from "./machine-key.ts";
import { environmentName, homeVolumeName } from "./names.ts";

/** A mngr host dir on this machine with a stack's identity. */
export interface MachineIdentity {
  readonly hostDir: string;
  readonly profileDir: string;
  /** How to call mngr there: `mngr`, preceded by the variables that it needs. */
  readonly mngr: string;
}

/** This machine's identity, with a user id. If there is none, one is created where mngr expects it. */
export function ensurePersonIdentity(
  env: NodeJS.ProcessEnv,
  options: IdentityOptions = {},
): PersonIdentity & { readonly userId: string } {
  const person = personIdentity(env, options);
  const userId = person.userId ?? writeOnce(join(ensureProfile(person, env, options), "user_id"), newId()).trim();
  return { ...personIdentity(env, options), userId };
}

/**
 * Enables this machine's mngr to act as a stack: through the user's own host dir if that has the stack's identity or
 * none yet, otherwise through a separate host dir named after the stack. The user's own identity is never changed.
 */
export function ensureMachineIdentity(
  stack: Pick<StackIdentity, "stack" | "userId" | "prefix" | "environment">,
  env: NodeJS.ProcessEnv,
  options: IdentityOptions = {},
): MachineIdentity {
  const person = personIdentity(env, options);
  const environment = environmentName({ prefix: person.prefix, userId: person.userId ?? stack.userId });
  if (environment === stack.environment) {
    const profileDir = ensureProfile(person, env, options);
    if (person.userId === undefined) writeOnce(join(profileDir, "user_id"), stack.userId);
    return { hostDir: person.hostDir, profileDir, mngr: options.profile === undefined ? "mngr" : at(person.hostDir) };
  }
  const hostDir = `${person.hostDir}-${stack.stack}`;
  const profileDir = join(hostDir, "profiles", stack.stack);
  write(join(hostDir, "config.toml"), stringify({ profile: stack.stack }));
  write(join(profileDir, "user_id"), stack.userId);
  write(join(profileDir, "settings.toml"), stringify({ prefix: stack.prefix }));
  // A prefix or an id that the shell exports would override the host dir's.
  const exported = ["MNGR_PREFIX", "MNGR_USER_ID"].filter((name) => env[name]).map((name) => `-u ${name} `);
  return { hostDir, profileDir, mngr: `${exported.length > 0 ? `env ${exported.join("")}` : ""}${at(hostDir)}` };
}

function at(hostDir: string): string {
  return `MNGR_HOST_DIR=${/^[\w./@+-]+$/.test(hostDir) ? hostDir : `'${hostDir.replaceAll("'", `'\\''`)}'`} mngr`;
}

/** @returns the folder of mngr's profile, created as mngr does if mngr never ran */
function ensureProfile(person: PersonIdentity, env: NodeJS.ProcessEnv, options: IdentityOptions): string {
  if (options.profile !== undefined) profileHostDir(options.profile, env);
  if (person.profileDir !== undefined) return person.profileDir;
  const config = join(person.hostDir, "config.toml");
  const minted = newId();
  writeOnce(config, stringify({ profile: minted }));
  // Of two concurrent writers the first wins. A file that names no profile is rewritten, as mngr would do.
  const profile = activeProfile(person.hostDir) ?? minted;
  if (activeProfile(person.hostDir) === undefined) write(config, stringify({ profile }));
  return join(person.hostDir, "profiles", profile);
}

/** In the form of mngr's own ids. */
function newId(): string {
  return randomUUID().replaceAll("-", "");
}

function write(path: string, text: string): void {
  if (readText(path) === text) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeWholeFile(path, text, { mode: 0o600 });
}

/** Creates a file atomically, unless it exists. @returns its content, whoever wrote it */
function writeOnce(path: string, text: string): string {
  const there = readText(path);
  if (there !== undefined) return there;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  try {
    linkSync(draft, path);
    return text;
  } catch (error) {
    const winners = readText(path);
    if (winners === undefined) throw error;
    return winners;
  } finally {
    rmSync(draft, { force: true });
  }
}

export interface AuthorizedMachine {
  readonly machine: MachineIdentity;
  /** The missing files on the stack's home volume, by path; empty if the stack knows this machine. */
  readonly files: Readonly<Record<string, string>>;
}

/** Lets the user open from this machine what a stack's apps create from now on, with an identity and a separate key. */
export async function authorizeMachine(
  home: HomeVolume,
  identity: StackIdentity,
  env: NodeJS.ProcessEnv,
  options: IdentityOptions,
): Promise<AuthorizedMachine> {
  const machine = ensureMachineIdentity(identity, env, options);
  const publicKey = await ensureMachineKey(machine.profileDir, env);
  const path = `${keysFolder}/${publicKeyFile(publicKey)}`;
  const published = await home.client.files(homeVolumeName(home.stack), home.environment, keysFolder);
  const isKnown = published.some((file) => file.path === path);
  return { machine, files: isKnown ? {} : { [path]: `${publicKey}\n` } };
}
