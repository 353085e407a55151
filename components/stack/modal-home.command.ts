/** Creates or removes what all apps of a stack on Modal share: the `modal` Command. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as z from "zod/mini";
import { commandScript } from "../command-script.ts";
import { upCommand } from "../lib/own-commands.ts";
import { printNote } from "../lib/terminal.ts";
import { modalClient } from "../modal/client.ts";
import { isModalVariable } from "../modal/environment.ts";
import { type HomeVolume, writeHomeFiles } from "../modal/home-volume.ts";
import { personEnvironment, personIdentity, type StackIdentity, stackIdentityFile } from "../modal/identity.ts";
import { authorizeMachine, ensurePersonIdentity } from "../modal/machine-identity.ts";
import { environmentName, homeVolumeName, runsVolumeName, stackSecretName } from "../modal/names.ts";
import { observeModal } from "../modal/observe.ts";
import { modalToken } from "../modal/token.ts";
import type { Modal, ObservedModal } from "../modal/types.ts";

const variables = z.object({
  STACK: z.string(),
  MNGR_PROFILE: z.optional(z.string()),
  GIT_NAME: z.optional(z.string()),
  GIT_EMAIL: z.optional(z.string()),
  CHANGELINGS_MODAL_TOKEN_ID: z.optional(z.string()),
  CHANGELINGS_MODAL_TOKEN_SECRET: z.optional(z.string()),
  CHANGELINGS_MNGR_SETTINGS: z.optional(z.string()),
  CI: z.optional(z.string()),
});

type Variables = z.infer<typeof variables>;

export default commandScript({
  variables,
  keeps: isModalVariable,
  timeoutSeconds: 600,
  async apply(variables) {
    const { STACK: stack } = variables;
    const client = modalClient({ token: modalToken(process.env), env: process.env });
    const { observed } = await find(client, variables);
    const identity = await identityOf(variables, observed);
    const { environment } = identity;
    const home = { client, stack, environment };
    // The environment first: concurrent creates fail in an environment that does not exist yet.
    await client.createEnvironment(environment);
    await Promise.all([
      client.createVolume(homeVolumeName(stack), environment),
      client.createVolume(runsVolumeName(stack), environment, { version: 2 }),
    ]);
    await Promise.all([
      client.putSecret(stackSecretName(stack), environment, secretValues(variables, identity)),
      writeHomeFiles(home, { ...identityFile(observed, identity), ...(await machineFiles(home, variables, identity)) }),
    ]);
    return { environment, userId: identity.userId, prefix: identity.prefix };
  },
  async remove(variables) {
    const client = modalClient({ token: modalToken(process.env), env: process.env });
    const { observed, localEnvironment } = await find(client, variables);
    const environment = observed.environment ?? localEnvironment;
    const secret = stackSecretName(variables.STACK);
    // If the environment is gone, so is the Secret.
    const isThere = environment !== undefined && (await client.environments()).includes(environment);
    if (isThere) await client.deleteSecret(secret, environment);
    const kept = [homeVolumeName(variables.STACK), runsVolumeName(variables.STACK)].filter((name) =>
      observed.volumes.has(name),
    );
    if (kept.length > 0) {
      printNote(`kept on Modal, in the environment ${environment}: the volumes ${kept.join(" and ")}\n`);
    }
    return { removed: secret, kept };
  },
});

async function find(
  client: Modal,
  { STACK: stack, MNGR_PROFILE: profile }: Variables,
): Promise<{ observed: ObservedModal; localEnvironment: string | undefined }> {
  const localEnvironment = personEnvironment(personIdentity(process.env, { profile }));
  return { observed: await observeModal({ stack, client, localEnvironment }), localEnvironment };
}

/** The stack's own identity applies on every machine and for its whole life. The first `up` adopts the user's. */
async function identityOf(variables: Variables, observed: ObservedModal): Promise<StackIdentity> {
  const { STACK: stack, MNGR_PROFILE: mngrProfile, GIT_NAME, GIT_EMAIL } = variables;
  const { userId, prefix } = observed.identity ?? adopted(variables, observed);
  const gitName = GIT_NAME ?? observed.identity?.gitName ?? (await gitConfig("user.name"));
  const gitEmail = GIT_EMAIL ?? observed.identity?.gitEmail ?? (await gitConfig("user.email"));
  return {
    version: 1,
    stack,
    userId,
    prefix,
    environment: environmentName({ prefix, userId }),
    ...(mngrProfile === undefined ? {} : { mngrProfile }),
    ...(gitName === undefined ? {} : { gitName }),
    ...(gitEmail === undefined ? {} : { gitEmail }),
  };
}

/** An `up` that failed between creating the volume and writing its identity left only the environment's name. */
function adopted(
  { MNGR_PROFILE: profile }: Variables,
  { environment }: ObservedModal,
): { readonly userId: string; readonly prefix: string } {
  const person = personIdentity(process.env, { profile });
  if (environment === undefined || environment === personEnvironment(person)) {
    return ensurePersonIdentity(process.env, { profile });
  }
  const [, prefix = "", userId = environment] = /^(.*-)([^-]+)$/.exec(environment) ?? [];
  return { userId, prefix };
}

function identityFile(observed: ObservedModal, identity: StackIdentity): Record<string, string> {
  if (observed.identity !== undefined && isSame(observed.identity, identity)) return {};
  return { [stackIdentityFile]: `${JSON.stringify(identity, null, 2)}\n` };
}

function isSame(one: StackIdentity, other: StackIdentity): boolean {
  const sorted = (identity: StackIdentity) => JSON.stringify(Object.entries(identity).sort());
  return sorted(one) === sorted(other);
}

function secretValues(variables: Variables, identity: StackIdentity): Record<string, string> {
  const { CHANGELINGS_MODAL_TOKEN_ID: id, CHANGELINGS_MODAL_TOKEN_SECRET: secret } = variables;
  if (!id || !secret)
    throw new Error(`the token for the stack's apps is not set; set a Modal token, then run: ${upCommand()}`);
  return {
    CHANGELINGS_MODAL_TOKEN_ID: id,
    CHANGELINGS_MODAL_TOKEN_SECRET: secret,
    MNGR_USER_ID: identity.userId,
    MNGR_PREFIX: identity.prefix,
    CHANGELINGS_MNGR_SETTINGS: variables.CHANGELINGS_MNGR_SETTINGS ?? "",
    CHANGELINGS_GIT_NAME: identity.gitName ?? "changelings",
    CHANGELINGS_GIT_EMAIL: identity.gitEmail ?? "changelings@localhost",
  };
}

/** Enables the user to open from this machine what the apps create. A pipeline's machine belongs to nobody. */
async function machineFiles(
  home: HomeVolume,
  { CI, MNGR_PROFILE: profile }: Variables,
  identity: StackIdentity,
): Promise<Readonly<Record<string, string>>> {
  if (CI === "true") return {};
  const { machine, files } = await authorizeMachine(home, identity, process.env, { profile });
  printNote(`the agents of this stack are seen with: ${machine.mngr} list\n`);
  return files;
}

/** The person's setting of git, whatever the checkout of this project sets for its own commits. */
async function gitConfig(name: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("git", ["config", name], { cwd: "/" });
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}
