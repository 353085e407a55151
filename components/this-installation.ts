import * as pulumi from "@pulumi/pulumi";
import { currentBackend, installationId } from "./installation.ts";

/** The id of the installation that the running program's stack is; see `installationId`. */
export function thisInstallation(): string {
  return installationId({ backend: currentBackend(), project: pulumi.getProject(), stack: pulumi.getStack() });
}
