import type { Fleet } from "../../../components/kinds.ts";
import { changelingCommand, upCommand as up } from "../../../components/lib/own-commands.ts";
import { keysFolder } from "../../../components/modal/home-volume.ts";
import { knownMachine } from "../../../components/modal/machine-key.ts";
import { ModalError } from "../../../components/modal/modal-error.ts";
import type { StackOnModal } from "../../../components/modal/modal-observation.ts";
import { homeVolumeName, runsVolumeName } from "../../../components/modal/names.ts";
import { openOnModal } from "../../../components/modal/on-modal.ts";
import { type ModalToken, noTokenRemedy } from "../../../components/modal/token.ts";
import { type Check, failed, ok, warning } from "../../../components/stack/check.ts";
import { type Stack, shortNameOf } from "../../stack/stack.ts";
import { orphanChecks } from "./orphans.ts";

/** What a stack has on Modal. */
export interface OpenedModal {
  /** The answer to whether it can be reached, and has anything there. */
  readonly checks: readonly Check[];
  /** Undefined if it has nothing there, or can't be reached. */
  readonly seen: StackOnModal | undefined;
}

/** A person waits for the answer. */
const timeoutSeconds = 10;

/** @param fleet undefined: nothing is declared here, or it can't be read */
export async function openedModal(
  stack: Stack,
  token: ModalToken | undefined,
  fleet: Fleet | undefined,
): Promise<OpenedModal> {
  const nothing = (...checks: Check[]) => ({ checks, seen: undefined });
  if (token === undefined) return nothing(failed("Modal token", "not found", noTokenRemedy));
  try {
    const seen = await openOnModal(shortNameOf(stack), token, timeoutSeconds);
    const works = ok("Modal token", "it works");
    return seen.observed.environment === undefined
      ? nothing(works, nothingThere(seen.stack, fleet))
      : { checks: [works], seen };
  } catch (error) {
    if (error instanceof ModalError) return nothing(failed("Modal", error.message));
    throw error;
  }
}

/**
 * Checks what a stack's changelings share on Modal, and what no stack declares any more.
 *
 * @param snapshots labels of the snapshots that the kinds use
 */
export async function sharedModalChecks(
  stack: Stack,
  seen: StackOnModal,
  { fleet, snapshots }: { readonly fleet: Fleet | undefined; readonly snapshots: Promise<readonly string[]> },
): Promise<Check[]> {
  const { environment } = seen.observed;
  if (environment === undefined) return [];
  const parts = await Promise.all([machineChecks(seen, environment), orphanChecks(stack, seen, { fleet, snapshots })]);
  return [...homeChecks(seen, environment), ...parts.flat()];
}

function nothingThere(stack: string, fleet: Fleet | undefined): Check {
  const detail = `the stack ${stack} has nothing there`;
  const isDeclared = fleet?.changelings.some(({ provider }) => provider === "modal") ?? false;
  return !isDeclared ? ok("Modal", detail) : warning("Modal", detail, `deploy it with: ${up()}`);
}

function homeChecks({ stack, observed }: StackOnModal, environment: string): Check[] {
  const found = ok("Modal environment", environment);
  if (observed.identity === undefined) {
    return [
      found,
      failed("Modal home", `the volume ${homeVolumeName(stack)} does not say who the stack acts as`, up()),
    ];
  }
  if (!observed.volumes.has(runsVolumeName(stack))) {
    return [found, failed("Modal home", `the volume ${runsVolumeName(stack)} is missing`, up())];
  }
  return [found, ok("Modal home", `volumes ${homeVolumeName(stack)} and ${runsVolumeName(stack)}`)];
}

/** Whether `mngr` on this machine can list and open the stack's agents. */
async function machineChecks({ client, stack, observed }: StackOnModal, environment: string): Promise<Check[]> {
  if (observed.identity === undefined) return [];
  const name = "mngr on Modal";
  const remedy = `to see and open its agents from this machine: ${changelingCommand()} authorize`;
  const machine = knownMachine(observed.identity, process.env);
  if (machine === undefined) {
    return [warning(name, `no mngr on this machine has the stack's identity (${environment})`, remedy)];
  }
  const keys = await client.files(homeVolumeName(stack), environment, keysFolder);
  const isKnown = machine.keyFile !== undefined && keys.some(({ path }) => path === `${keysFolder}/${machine.keyFile}`);
  if (!isKnown) return [warning(name, "the stack does not know this machine's key", remedy)];
  return [ok(name, `${machine.hostDir} has the stack's identity, and its key is known`)];
}
