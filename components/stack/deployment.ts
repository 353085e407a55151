import type * as pulumi from "@pulumi/pulumi";
import type { Kind, ResolvedChangeling } from "../fleet/kind.ts";
import type { SharedOptions } from "../fleet/options.ts";
import type { InstallationPaths } from "../host/installation-paths.ts";
import type { Inspection } from "./inspection.ts";
import type { ModalStack } from "./modal.ts";

/** Secret values by variable name. */
export type SecretInputs = Readonly<Record<string, pulumi.Input<string>>>;

/** The context in which the kinds deploy. */
export interface Stack {
  /** The mngr profile that keeps the fleet's agents apart; undefined for the user's own. */
  readonly mngrProfile: string | undefined;
  /** The secret values that a changeling gets, in the order in which their names are declared. */
  secretsOf(changeling: ResolvedChangeling): SecretInputs;
  /** The stack on Modal, observed once; undefined in a fleet without changelings there. */
  readonly modal: ModalStack | undefined;
}

/** The stack's output for each changeling. Nothing in it depends on the clock. */
export type DeployedOutputs = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Turns changelings of a kind into resources. */
export interface Deployment<Resolved extends ResolvedChangeling = ResolvedChangeling, Settings = object> {
  /**
   * Observes the live state once, whatever the number of changelings, before any resource is declared.
   *
   * @param changelings all changelings of the kind, at least one
   * @param settings the kind's own tables in the fleet file
   * @returns a function that declares their resources
   * @throws pulumi.RunError if the fleet can't be deployed, before any change
   */
  observe(changelings: readonly Resolved[], stack: Stack, settings: Settings): Promise<() => DeployedOutputs>;
}

/** A kind with its parts for Pulumi and for the CLI, each loaded only when it is needed. */
export interface DeployableKind<
  Options extends SharedOptions = SharedOptions,
  Resolved extends ResolvedChangeling = ResolvedChangeling,
  Written = unknown,
  Settings = object,
> extends Kind<Options, Resolved, Written, Settings> {
  deployment(): Promise<Deployment<Resolved, Settings>>;
  inspection(): Promise<Inspection>;
  /** For a kind that keeps more on this machine than its Commands remove, or that runs a daemon there. */
  leftovers?(): Promise<Leftovers>;
}

/** What a stack that was destroyed, or that no longer exists, left on this machine. Pulumi knows nothing about it. */
export interface Leftovers {
  /** What runs on this machine now, each a clause: "its scheduler runs". */
  running?(paths: InstallationPaths): readonly string[];
  /** The data of each changeling that `remove` deletes if all data is deleted, to show it first. Places as in `remove`. */
  data?(paths: InstallationPaths): readonly { readonly name: string; readonly places: readonly string[] }[];
  /**
   * Finds the agents of earlier runs, before a destroy of the stack removes their records.
   *
   * @returns a function that destroys those in the repositories, and returns the worktrees of the others
   */
  keptAgents?(paths: InstallationPaths, repositories: readonly string[]): () => Promise<readonly string[]>;
  /**
   * Ends everything that runs, and removes all files of the kind except the data that is kept.
   *
   * @returns the places of the kept data: absolute paths, or words such as `volume <name>`
   */
  remove(installation: string, paths: InstallationPaths, data: DataToDelete): Promise<readonly string[]>;
  /** After `remove`: the files that lead to the kept data, which are kept too. */
  keptFiles?(paths: InstallationPaths): readonly string[];
}

/** The data that is deleted together with a stack. */
export interface DataToDelete {
  readonly all: boolean;
  /** Repositories that are removed from this machine, absolute paths. Data about them is always deleted. */
  readonly repositories: readonly string[];
  /** The example fleet's changelings, by name. The data of those that nobody changed is deleted. */
  readonly example?: ReadonlyMap<string, ExampleChangeling>;
}

/** A changeling as the example fleet declares it. */
export interface ExampleChangeling {
  readonly kind: string | undefined;
  readonly agentType: string | undefined;
}
