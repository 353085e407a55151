import { type HomeVolume, keysFolder } from "./home-volume.ts";
import type { IdentityOptions } from "./identity.ts";
import { ensureMachineIdentity, type MachineIdentity } from "./machine-identity.ts";
import { ensureMachineKey, publicKeyFile } from "./machine-key.ts";
import { homeVolumeName } from "./names.ts";
import type { StackIdentity } from "./stack-identity.ts";

export interface AuthorizedMachine {
  readonly machine: MachineIdentity;
  /** What is still to be written on the stack's home volume, by path; empty when the stack knows this machine. */
  readonly files: Readonly<Record<string, string>>;
}

/** Lets the person open from this machine what a stack's apps make from now on: an identity, and a key of its own. */
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
