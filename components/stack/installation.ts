import { hostname } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod/mini";
import { installations, readClaim, writeClaim } from "../host/claims.ts";
import { type Choice, chooseInstallation, unclaimedIds } from "../host/installation.ts";
import { installationPaths } from "../host/installation-paths.ts";
import {
  canonicalBackend,
  currentBackend,
  fullName,
  identityInWords,
  isSameStack,
  type StackIdentity,
} from "../host/stack-identity.ts";
import { stackState } from "./engine-state.ts";
import { perRun } from "./per-run.ts";
import { commandNamed, holdsInstallation, type StackState } from "./state.ts";

/** The installation of this run's stack: found on this machine at once, and later confirmed by the stack's state. */
const found = perRun(() => {
  const identity = thisStack();
  const here = choose(identity, undefined).id;
  const known: Found = { here, confirmed: undefined, confirming: undefined, commands: undefined };
  return known;
});

interface Found {
  readonly here: string;
  confirmed: string | undefined;
  confirming: Promise<string> | undefined;
  commands: StackState["commands"] | undefined;
}

/** The stack's state before this run; read once. */
const readState = perRun((): Promise<StackState> => {
  const identity = thisStack();
  // A backend without organizations searches its current project by default, and some accept no full name.
  const name = identity.organization === "organization" ? identity.stack : fullName(identity);
  return stackState(name).then(
    (state) => state ?? { installations: [], namesOnModal: [], otherStacks: [], commands: [] },
  );
});

/**
 * The id of the installation of the running program's stack. Until `confirmedInstallation` has read the stack's state,
 * it is based on this machine alone.
 */
export function thisInstallation(): string {
  const { here, confirmed } = found();
  return confirmed ?? here;
}

/**
 * The id of the installation of the running program's stack.
 *
 * @throws pulumi.RunError if it belongs to another stack, or the stack has two on this machine: everything would fire
 * twice
 */
export function confirmedInstallation(): Promise<string> {
  const known = found();
  known.confirming ??= confirm().then((id) => {
    known.confirmed = id;
    return id;
  });
  return known.confirming;
}

/**
 * The environment that a Command of this stack was last applied with, by resource name. What is installed on this
 * machine is compared with it.
 *
 * @returns undefined if there is none, or `confirmedInstallation` has not read the state yet
 */
export function statedEnvironment(name: string): Readonly<Record<string, unknown>> | undefined {
  return commandNamed(found().commands ?? [], name)?.environment;
}

/** The Commands in the stack's state before this run. */
export async function statedCommands(): Promise<StackState["commands"]> {
  return (await readState()).commands;
}

async function confirm(): Promise<string> {
  const identity = thisStack();
  const { installations: inState, otherStacks, commands } = await readState();
  found().commands = commands;
  if (otherStacks.length > 0) {
    const { stack } = identity;
    throw new pulumi.RunError(
      `the state of this stack, ${stack}, was imported by force: its resources are ${otherStacks.join("'s, ")}'s. They would be created again, and then removed together with the old ones. In the exported file, write urn:pulumi:${stack}:: for urn:pulumi:${otherStacks[0]}::, and import it again: npm run pulumi -- stack import --file FILE`,
    );
  }
  const choice = choose(identity, inState);
  const { id, rival, others } = choice;
  if (rival !== undefined) {
    if (await isHeldBy(rival, identity, id)) throw new pulumi.RunError(refusalOf(choice, rival, identity));
    await pulumi.log.info(`This stack takes over the installation ${id}, which was ${identityInWords(rival)}.`);
  }
  if (others.length > 0) {
    const remedy = others.map((other) => `npm run changeling -- discard ${other}`).join("\n");
    throw new pulumi.RunError(
      `this stack's state names the installation ${id}, but ${others.join(", ")} on this machine belongs to this stack too, and would fire as well; remove it first (its agents' data is kept):\n${remedy}`,
    );
  }
  const elsewhere = hostElsewhere(id, commands);
  if (elsewhere !== undefined) {
    const message = `the scheduler of this stack was started on another machine, ${elsewhere}, and may run there: with one here too, everything would fire twice. To move it, end it there (or: npm run changeling -- discard ${id}), then here: npm run changeling -- adopt --stack ${fullName(identity)}`;
    if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(message);
    await pulumi.log.warn(message);
  }
  return id;
}

const schedulerOutput = z.object({ host: z.string(), machine: z.optional(z.string()) });

/** The host name of the scheduler's machine according to the state, if that is not this machine. */
function hostElsewhere(id: string, commands: StackState["commands"]): string | undefined {
  const found = schedulerOutput.safeParse(parsed(commandNamed(commands, "scheduler")?.stdout)).data;
  const claim = readClaim(installationPaths(id));
  if (found === undefined || found.host === hostname() || claim?.isAdopted === true) return undefined;
  return found.machine !== undefined && found.machine === claim?.machine ? undefined : found.host;
}

function parsed(json: string | undefined): unknown {
  try {
    return json === undefined ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}

/**
 * The same, for resources that keep something on this machine: an update records the claim before any other change.
 *
 * @throws like `confirmedInstallation`
 */
export const claimedInstallation = perRun(async (): Promise<string> => {
  const id = await confirmedInstallation();
  if (!pulumi.runtime.isDryRun()) writeClaim(installationPaths(id), thisStack());
  return id;
});

/**
 * The name by which this stack's resources on Modal are found: Pulumi's own.
 *
 * @throws pulumi.RunError if the stack was renamed, because its apps would keep firing under the old name
 */
export async function nameOnModal(): Promise<string> {
  const name = pulumi.getStack();
  const others = (await readState()).namesOnModal.filter((each) => each !== name);
  if (others.length === 0) return name;
  throw new pulumi.RunError(
    `this stack is named ${name}, but its resources on Modal have the name ${others.join(", ")} and would keep firing. Rename the stack back: npm run pulumi -- stack rename ${others[0]}
To use another name, destroy the stack first, rename it, and then: npm run pulumi -- up`,
  );
}

function thisStack(): StackIdentity {
  return {
    backend: canonicalBackend(backendHere()),
    organization: pulumi.getOrganization(),
    project: pulumi.getProject(),
    stack: pulumi.getStack(),
  };
}

function backendHere(): string {
  return currentBackend(process.env, undefined, process.cwd());
}

function choose(identity: StackIdentity, inState: readonly string[] | undefined): Choice {
  const spellings = [backendHere(), currentBackend()];
  return chooseInstallation(identity, {
    installed: installations(),
    inState,
    unclaimed: unclaimedIds(identity, spellings),
  });
}

/** Whether another stack owns the installation. If that stack is gone, it was renamed or moved. */
async function isHeldBy(rival: StackIdentity, identity: StackIdentity, installation: string): Promise<boolean> {
  const isHeld = holdsInstallation(rival, installation);
  if (isHeld !== undefined) return isHeld;
  // Another backend can't be queried from here.
  if (rival.backend !== identity.backend) return true;
  return (await stackState(fullName(rival)))?.installations.includes(installation) ?? false;
}

function refusalOf({ id }: Choice, rival: StackIdentity, identity: StackIdentity): string {
  const wasMoved = isSameStack({ ...rival, backend: identity.backend }, identity) ? "moved" : "renamed";
  return `this stack's state names the installation ${id}, which on this machine belongs to the stack ${identityInWords(rival)}. Two stacks of one installation would fire everything twice, and one would remove the other's changelings.
If that stack was ${wasMoved} and is this one now: npm run changeling -- adopt --stack ${fullName(identity)}
If this one is a copy of it, don't destroy it; drop its state: npm run pulumi -- stack rm --force ${fullName(identity)}`;
}
