import type * as pulumi from "@pulumi/pulumi";
import type { Kind, ResolvedChangeling } from "../fleet/kind.ts";
import type { SharedOptions } from "../fleet/options.ts";
import type { ModalStack } from "./modal.ts";

/** Values by the name of their variable. */
export type SecretInputs = Readonly<Record<string, pulumi.Input<string>>>;

/** The stack, as the kinds deploy to it. */
export interface Stack {
  /** mngr profile that puts the fleet's agents aside; undefined: the person's own. */
  readonly mngrProfile: string | undefined;
  /** The values that a changeling gets, in the order in which their names are declared. */
  secretsOf(changeling: ResolvedChangeling): SecretInputs;
  /** The stack on Modal; undefined in a fleet without changelings there. Read once. */
  readonly modal: ModalStack | undefined;
}

/** By changeling: what the stack's output says of it. Nothing that changes with the clock. */
export type DeployedOutputs = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** How changelings of a kind become resources. */
export interface Deployment<Resolved extends ResolvedChangeling = ResolvedChangeling, Settings = object> {
  /**
   * Looks at what is live, once, whatever the number of changelings, before any resource is declared.
   *
   * @param changelings all of the kind, at least one
   * @param settings what the kind's own keys of the fleet file say
   * @returns declares their resources
   * @throws pulumi.RunError when what is declared can't be deployed, before anything is touched
   */
  observe(changelings: readonly Resolved[], stack: Stack, settings: Settings): Promise<() => DeployedOutputs>;
}

/** A kind with its Pulumi half, which loads when a fleet has one. */
export interface DeployableKind<
  Options extends SharedOptions = SharedOptions,
  Resolved extends ResolvedChangeling = ResolvedChangeling,
  Written = unknown,
  Settings = object,
> extends Kind<Options, Resolved, Written, Settings> {
  deployment(): Promise<Deployment<Resolved, Settings>>;
}
