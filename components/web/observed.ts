import type * as pulumi from "@pulumi/pulumi";
import type { Reported } from "./agent/command.ts";
import type { DeclaredWeb } from "./declared.ts";

export interface WebDeployArgs {
  readonly declared: DeclaredWeb;
  /** By variable name. */
  readonly secretValues: Readonly<Record<string, pulumi.Input<string>>>;
}

/** The observed state of a stack's web changelings on one provider, which it is deployed to. */
export interface ObservedWebs {
  readonly installation: string;
  /** Declares the resources of a changeling below its component. */
  deploy(parent: pulumi.Resource, args: WebDeployArgs): Reported;
}
