import * as pulumi from "@pulumi/pulumi";
import { type Agent, MngrError } from "../../mngr/client.ts";
import { modalClient } from "../../modal/client.ts";
import { knownMachine } from "../../modal/machine-key.ts";
import { ModalError } from "../../modal/modal-error.ts";
import { modalToken } from "../../modal/token.ts";
import { confirmedInstallation } from "../../stack/installation.ts";
import { type ModalStack, type ModalStackOptions, modalStack } from "../../stack/modal.ts";
import { webDrift } from "../agent/drift.ts";
import { isFree, type WebRecord } from "../agent/record.ts";
import type { DeclaredWeb } from "../declared.ts";
import type { ObservedWebs } from "../observed.ts";
import { sourceTips } from "../source-tips.ts";
import type { LocalWebsOptions } from "../this-machine.ts";
import { webOnModal } from "./deploy.ts";
import { hostIdTag, labelTag, mngrOnModal } from "./mngr-on-modal.ts";
import { sharedRecord } from "./modal-records.ts";

export interface ModalWebsOptions extends ModalStackOptions, Pick<LocalWebsOptions, "secretValues"> {
  /** The result of `modalStack`, if you already have it. Otherwise it is read again. */
  readonly modal?: ModalStack | undefined;
}

/** The observed state of a stack's web changelings on Modal. */
export interface ModalWebs extends ObservedWebs {
  readonly at: ModalStack;
  of(changeling: DeclaredWeb): { readonly commit: string | undefined; readonly drift: string | undefined };
}

/** What was observed of a stack's web agents on Modal. */
interface Seen {
  /** By changeling name. */
  readonly records: ReadonlyMap<string, WebRecord>;
  /** Ids of the running machines. */
  readonly machines: ReadonlySet<string>;
  /** undefined if this machine's mngr does not act as the stack, or could not be read. */
  readonly agents: readonly Agent[] | undefined;
}

/**
 * Observes a stack's web changelings on Modal and their sources, once for all of them.
 *
 * @throws pulumi.RunError in an update, before any change, if Modal is not reachable; a preview warns and detects no
 * drift
 */
export async function modalWebs(
  changelings: readonly DeclaredWeb[],
  options: ModalWebsOptions = {},
): Promise<ModalWebs> {
  const [installation, at, tips] = await Promise.all([
    confirmedInstallation(),
    options.modal ?? modalStack(options),
    sourceTips(changelings, options.secretValues),
  ]);
  const seen = await observeAgents(changelings, at);
  const webs = {
    installation,
    at,
    of(changeling: DeclaredWeb) {
      const { name, renamedFrom } = changeling;
      const own = seen?.records.get(name);
      const record = isFree(own) && renamedFrom !== undefined ? (seen?.records.get(renamedFrom) ?? own) : own;
      const drift = seen && webDrift(record, seen.agents, { word: "machine", running: seen.machines });
      return { commit: tips(changeling)?.commit, drift };
    },
  };
  return { ...webs, deploy: (parent, args) => webOnModal(parent, args, webs) };
}

/** undefined if nothing exists yet, or Modal could not be read. */
async function observeAgents(changelings: readonly DeclaredWeb[], at: ModalStack): Promise<Seen | undefined> {
  const { observed, stack, stackToken } = at;
  if (observed?.environment === undefined) return undefined;
  const { environment } = observed;
  const client = modalClient({ token: modalToken(process.env, stackToken), env: process.env });
  const names = new Set(changelings.flatMap(({ name, renamedFrom }) => [name, ...(renamedFrom ? [renamedFrom] : [])]));
  const tags = { [labelTag("changelings_stack")]: stack, [labelTag("changeling_kind")]: "web" };
  try {
    const [records, sandboxes, agents] = await Promise.all([
      Promise.all([...names].map((name) => sharedRecord(name, { client, stack, environment }))),
      client.sandboxes(environment, tags),
      agentsOf(at),
    ]);
    return {
      records: new Map(records.flatMap((record) => (record === undefined ? [] : [[record.name, record]]))),
      machines: new Set(sandboxes.flatMap(({ tags }) => tags[hostIdTag] ?? [])),
      agents,
    };
  } catch (error) {
    if (!(error instanceof ModalError)) throw error;
    if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(error.message);
    await pulumi.log.warn(`The state of the web changelings on Modal could not be read: ${error.message}`);
    return undefined;
  }
}

/** Queries this machine's mngr, if it has the keys for the other machines. */
async function agentsOf({ observed, mngrProfile, stackToken }: ModalStack): Promise<readonly Agent[] | undefined> {
  const machine = observed?.identity === undefined ? undefined : knownMachine(observed.identity, process.env);
  if (machine?.keyFile === undefined) return undefined;
  const { hostDir } = machine;
  try {
    const token = modalToken(process.env, stackToken);
    return await mngrOnModal({ hostDir, mngrProfile, token, env: process.env }).agents();
  } catch (error) {
    if (!(error instanceof MngrError)) throw error;
    await pulumi.log.warn(`The state of the web agents on Modal could not be read: ${error.message}`);
    return undefined;
  }
}
