import { stockWebTypeOf } from "../../../changelings/stock-web.ts";
import type { WebSpec } from "../agent/spec.ts";
import type { PlacedAgent, WebRecords, WebUpdate } from "../life-cycle/agent-host.ts";
import type { WebAgents } from "../life-cycle/web-agents.ts";
import type { MachineProvider, MngrOnMachines } from "./mngr-on-machines.ts";

/**
 * The context for managing web agents on separate machines: sandboxes on Modal, or containers in Docker. The code in this
 * folder only uses this interface and is the same for both providers.
 */
export interface MachineWeb extends Pick<WebAgents, "installation" | "paths" | "env" | "log"> {
  readonly provider: MachineProvider;
  /** Where volumes are, for messages, for instance `in Docker`. */
  readonly where: string;
  /** Distinguishes its machines and agents from others, in addition to the labels that all web agents have. */
  readonly labels: Readonly<Record<string, string>>;
  readonly mngr: MngrOnMachines;
  readonly records: WebRecords;
  readonly machines: Machines;
}

/** The machine to create. */
export interface NewMachine {
  readonly spec: WebSpec;
  /** Its name. */
  readonly host: string;
  /** Volume names by mount path. */
  readonly volumes: Readonly<Record<string, string>>;
  /** The temporary repo. Files that are only needed while the machine is created can be put beside it. */
  readonly repo: string;
}

/** Provider operations that mngr lacks. Changelings, volumes and machines are given by name. */
export interface Machines {
  /** Succeeds if it exists. */
  ensureVolume(name: string, changeling: string): Promise<void>;
  /** Deletes the volume with its contents; succeeds if it is gone. */
  deleteVolume(name: string): Promise<void>;
  /**
   * Copies a volume's contents to a new folder here. They are untrusted, see `adoptRepo`.
   * @returns false, and copies nothing, if the volume holds no git repository
   */
  downloadRepo(volume: string, folder: string): Promise<boolean>;
  /** Arguments of `mngr create` for the machine. */
  argumentsFor(
    machine: NewMachine,
  ): Promise<{ readonly buildArgs: readonly string[]; readonly startArgs: readonly string[] }>;
  /** Public keys that machines accept in addition to their creator's, one per line. */
  admittedKeys(): Promise<string>;
  /** Names of a changeling's existing machines, whether mngr knows them or not. */
  hostsOf(changeling: string): Promise<string[]>;
  /** Ends all machines of a changeling immediately. mngr no longer knows them, so nothing starts them again. */
  sweep(changeling: string): Promise<void>;
  /**
   * Ends a machine immediately, so that it restarts from its last snapshot.
   * @param hostId mngr's id
   */
  end(hostId: string): Promise<void>;
  /** Ends a machine so that it restarts in its current state; succeeds if it has ended. */
  stop(agent: PlacedAgent): Promise<void>;
  /** Destroys a machine and what belongs to it, but not snapshots and volumes; succeeds if it is gone. */
  destroy(host: string): Promise<void>;
  /**
   * Succeeds if it is gone.
   * @param id mngr's id
   */
  deleteSnapshot(id: string): Promise<void>;
}

/** Paths in the machine of a web agent. */

/** Mount path of the data volume: CHANGELING_DATA. */
export const dataFolder = "/changeling-data";

/**
 * Mount path of the repo volume, which is the agent's work dir. It is a separate volume so that commits outlive every
 * machine: mngr's default folder for repos is deleted with the host, and mngr forgets hosts that ended unexpectedly.
 */
export const repoFolder = "/changeling-repo";

/** The declared build arguments, with a stock type's own machine as the default. */
export function declaredImage(spec: WebSpec): readonly string[] {
  const stock = stockWebTypeOf(spec);
  const isDeclared = spec.buildArgs.some((each) => /^(image|file)=/.test(each));
  return stock?.dockerfile === undefined || isDeclared
    ? spec.buildArgs
    : [`file=${stock.dockerfile}`, ...spec.buildArgs];
}

/** The target state of one agent, on its own machine. */
export interface MachineUpdate extends WebUpdate {
  readonly web: MachineWeb;
}
