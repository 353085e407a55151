import * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../../command.ts";
import { checkedArgs } from "../../component.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { claimedInstallation, statedEnvironment, thisInstallation } from "../../stack/installation.ts";
import { forwardingServerType } from "../command-suffixes.ts";
import type { Forwarding } from "./declared.ts";
import { forwardingInDocker } from "./docker/resources.ts";
import { environmentOfForwarding, forwardingEnvironment } from "./forwarding-environment.ts";
import { type ForwardingServerOptions, forwardingOf } from "./from-program.ts";
import { forwardingDrift } from "./installed-config.ts";

/** Arguments of a forwarding server. Omitted options have the defaults of `[forwarding]` (changelings/REFERENCE.md). */
export interface ForwardingServerArgs extends ForwardingServerOptions {
  /** Id of the installation whose agents it serves, by default this program's stack; see `installationId`. */
  readonly installation?: string;
}

/**
 * The process through which all web changelings of a stack are reached. It keeps the logins and proxies requests to the
 * agents. It is started and supervised (by Docker with `provider: "docker"`), and restarted when its config or program
 * changes. `pulumi destroy` stops it and removes its key, codes and logins.
 *
 * @example
 * new ForwardingServer("forwarding", { port: 8080 });
 *
 * @throws pulumi.InputPropertiesError with all errors in its args
 */
export class ForwardingServer extends pulumi.ComponentResource {
  /** The resolved options, including defaults. */
  readonly declared: Forwarding;
  /** Id of the installation whose agents it serves. */
  readonly installation: string;
  readonly command: pulumi.Resource;

  constructor(name: string, args: ForwardingServerArgs = {}, opts: pulumi.ComponentResourceOptions = {}) {
    super(forwardingServerType, name, {}, opts);
    const { installation = thisInstallation(), ...options } = args;
    const confirmed = claimedInstallation().then((id) => args.installation ?? id);
    this.declared = checkedArgs(`forwarding server "${name}"`, () => forwardingOf(options));
    this.installation = installation;
    const environment = environmentOfForwarding(installation, this.declared);
    const { provider, buildArgs } = this.declared;
    this.command =
      provider === "docker"
        ? forwardingInDocker(this, name, { environment, confirmed, buildArgs })
        : scriptCommand(
            name,
            {
              command: "forwarding-server",
              environment: { ...environment, ...forwardingEnvironment.named({ installation: confirmed }) },
              drift: forwardingDrift(installationPaths(installation), statedEnvironment(name)),
            },
            { parent: this },
          );
    this.registerOutputs();
  }
}
