import { readText } from "../host/read-toml.ts";
import { type PersonIdentity, personEnvironment, personIdentity } from "./identity.ts";
import { machineKeyFile, publicKeyFile } from "./machine-key.ts";
import type { StackIdentity } from "./stack-identity.ts";

/** A machine whose mngr acts as a stack does: by the person's own identity, or by one aside. */
export interface KnownMachine {
  readonly hostDir: string;
  /** The name of its public key's file on the stack's home volume; undefined: it has no key. */
  readonly keyFile: string | undefined;
}

/** Looks, and makes nothing (see `authorizeMachine`). @returns undefined when no mngr here acts as the stack */
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
