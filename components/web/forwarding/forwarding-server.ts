import * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../../command.ts";
import { drifted } from "../../drift.ts";
import type { Forwarding } from "../../fleet/index.ts";
import { installationPaths } from "../../installation-paths.ts";
import { forwardingDrift } from "./forwarding-drift.ts";
import { environmentOfForwarding } from "./forwarding-environment.ts";

export interface ForwardingServerArgs extends Forwarding {
  /** Id of the installation whose agents it leads to; see `installationId`. */
  readonly installation: string;
}

/**
 * The one process through which all web changelings of a stack are reached: it keeps the logins and leads to the
 * agents. Started, supervised, restarted when its config or its program is newer, and on `pulumi destroy` stopped and
 * removed with its key, codes and logins.
 */
export class ForwardingServer extends pulumi.ComponentResource {
  readonly command: pulumi.Resource;

  constructor(name: string, args: ForwardingServerArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("changelings:web:ForwardingServer", name, {}, opts);
    const { installation, ...forwarding } = args;
    this.command = scriptCommand(
      name,
      {
        script: "forwarding-server",
        environment: { ...environmentOfForwarding(installation, forwarding) },
        drift: drifted(forwardingDrift(installationPaths(installation))),
      },
      { parent: this },
    );
    this.registerOutputs();
  }
}
