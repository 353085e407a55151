import { stockWebTypeOf } from "../../../changelings/stock-web.ts";
import type { Agent } from "../../mngr/client.ts";
import type { WebRecord } from "../agent/record.ts";
import type { WebSpec } from "../agent/spec.ts";
import type { WebAgents } from "../local/records.ts";
import type { MachineProvider, MngrOnMachines } from "./mngr-on-machines.ts";

/**
 * What the work on web agents needs that have a machine of their own each: on Modal a sandbox, in Docker a container.
 * Everything in this folder works against it, and knows of neither.
 */
export interface MachineWeb extends Pick<WebAgents, "installation" | "paths" | "env" | "log"> {
  readonly provider: MachineProvider;
  /** For people: where volumes are, for instance `in Docker`. */
  readonly place: string;
  /** What tells its machines and agents from those of others, beside the labels that all web agents have. */
  readonly labels: Readonly<Record<string, string>>;
  readonly mngr: MngrOnMachines;
  readonly records: MachineRecords;
  readonly machines: Machines;
}

export interface VolumeNames {
  readonly repo: string;
  readonly data: string;
}

/** Where the provider's web agents are written down. */
export interface MachineRecords {
  /** @returns undefined when there is none @throws when it is not a record */
  read(name: string): Promise<WebRecord | undefined>;
  write(record: WebRecord): Promise<void>;
  /** One that is gone is fine. */
  remove(name: string): Promise<void>;
  /** The volumes of a changeling that has none yet; no other's. */
  volumesFor(name: string): Promise<VolumeNames>;
}

/** What is to be made. */
export interface NewMachine {
  readonly spec: WebSpec;
  /** Its name. */
  readonly host: string;
  /** By where they are mounted: the names of the volumes. */
  readonly volumes: Readonly<Record<string, string>>;
  /** The temporary repo. What is read while the machine is made may lie beside it. */
  readonly repo: string;
}

/** What the provider does that mngr does not. A changeling, a volume and a machine are meant by their names. */
export interface Machines {
  /** One that is there is fine. */
  ensureVolume(name: string, changeling: string): Promise<void>;
  /** With all that is on it; one that is gone is fine. */
  deleteVolume(name: string): Promise<void>;
  /** Copies what is on a volume to a new folder here: an agent's words, see `adoptRepo`. @returns false: it holds no git repository, and nothing is copied */
  downloadRepo(volume: string, folder: string): Promise<boolean>;
  /** How a machine is made: what `mngr create` is told of it. */
  argumentsFor(
    machine: NewMachine,
  ): Promise<{ readonly buildArgs: readonly string[]; readonly startArgs: readonly string[] }>;
  /** The public keys that machines let in beside that of who made them, one a line. */
  admittedKeys(): Promise<string>;
  /** The names of a changeling's machines that there are, whether mngr knows of them or not. */
  hostsOf(changeling: string): Promise<string[]>;
  /** Ends all machines of a changeling at once: mngr has forgotten them, and nobody will start them again. */
  sweep(changeling: string): Promise<void>;
  /** Ends a machine at once, so that it starts from its last snapshot again. @param hostId mngr's */
  end(hostId: string): Promise<void>;
  /** Ends a machine so that it starts again as it is now; one that has ended is fine. */
  rest(agent: PlacedAgent): Promise<void>;
  /** Ends a machine for ever, with what goes with it; snapshots and volumes stay. One that is gone is fine. */
  destroy(host: string): Promise<void>;
  /** One that is gone is fine. @param id mngr's */
  deleteSnapshot(id: string): Promise<void>;
}

/** Where things stand in the machine of a web agent. */

/** The volume with its data: CHANGELING_DATA. */
export const dataFolder = "/changeling-data";

/**
 * The volume with its repo, which is its work dir. A volume of its own, so that its commits outlive every machine: mngr
 * deletes the folder in which it puts repos by default with the host, and forgets hosts that ended by accident.
 */
export const repoFolder = "/changeling-repo";

/** The build arguments that are declared, with a stock type's own machine unless another is. */
export function declaredImage(spec: WebSpec): readonly string[] {
  const stock = stockWebTypeOf(spec);
  const isDeclared = spec.buildArgs.some((each) => /^(image|file)=/.test(each));
  return stock?.dockerfile === undefined || isDeclared
    ? spec.buildArgs
    : [`file=${stock.dockerfile}`, ...spec.buildArgs];
}

/** What is to become of one agent. */
export interface MachineUpdate {
  readonly spec: WebSpec;
  readonly record: WebRecord;
  /** Values by the names of their variables. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly web: MachineWeb;
}

/** An agent with the machine that it is on. */
export type PlacedAgent = Agent & { readonly host: NonNullable<Agent["host"]> };
