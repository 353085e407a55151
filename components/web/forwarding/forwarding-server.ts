import * as pulumi from "@pulumi/pulumi";
import { scriptCommand } from "../../command.ts";
import { checkedArgs } from "../../component.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { claimedInstallation, statedEnvironment, thisInstallation } from "../../stack/installation.ts";
import type { Forwarding } from "./declared.ts";
import { forwardingInDocker } from "./docker/resources.ts";
import { environmentOfForwarding, forwardingEnvironment } from "./forwarding-environment.ts";
import { type ForwardingServerOptions, forwardingOf } from "./from-program.ts";
import { forwardingDrift } from "./installed-config.ts";

/** What is declared of it. What is left out has the default of `[forwarding]` (changelings/REFERENCE.md). */
export interface ForwardingServerArgs extends ForwardingServerOptions {
  /** Id of the installation whose agents it leads to, by default that of this program's stack; see `installationId`. */
  readonly installation?: string;
}

/**
 * The one process through which all web changelings of a stack are reached: it keeps the logins and leads to the
 * agents. Started, supervised (by Docker with `provider: "docker"`), restarted when its config or its program is newer,
 * and on `pulumi destroy` stopped and removed with its key, codes and logins.
 *
 * @example
 * new ForwardingServer("forwarding", { port: 8080 });
 *
 * @throws pulumi.InputPropertiesError with every fault of its args at once
 */
export class ForwardingServer extends pulumi.ComponentResource {
  /** What was declared, with all defaults. */
  readonly declared: Forwarding;
  /** Id of the installation whose agents it leads to. */
  readonly installation: string;
  readonly command: pulumi.Resource;

  constructor(name: string, args: ForwardingServerArgs = {}, opts: pulumi.ComponentResourceOptions = {}) {
    super("changelings:web:ForwardingServer", name, {}, opts);
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
