import { createRequire } from "node:module";
import * as pulumi from "@pulumi/pulumi";
import { repairOf, scriptCommand } from "../../../command.ts";
import { DockerError } from "../../../docker/run-docker.ts";
import { installationPaths } from "../../../host/installation-paths.ts";
import { statedEnvironment } from "../../../stack/installation.ts";
import { perRun } from "../../../stack/per-run.ts";
import { containerEnvironment, type ForwardingEnvironment } from "../forwarding-environment.ts";
import { forwardingConfigDrift } from "../installed-config.ts";
import { containerArgs } from "./container-args.ts";
import { imageName } from "./image.ts";
import { type MachineContext, machineContext } from "./machine-context.ts";
import { volumeName } from "./names.ts";
import { containerDrift, observeContainer } from "./observe-container.ts";

export interface InDockerArgs {
  readonly environment: ForwardingEnvironment;
  /** The same installation, confirmed by the stack's state, which may not be read yet. */
  readonly confirmed: pulumi.Input<string>;
  readonly buildArgs: readonly string[];
}

/** This label's value changes to replace the container. */
const driftLabel = "changelings_drift";

/**
 * The forwarding server as a container: its image, a volume for its files, the container, and the Command that makes it
 * reachable and checks that it responds.
 *
 * @returns the Command
 * @throws like `observeDocker`
 */
export function forwardingInDocker(parent: pulumi.Resource, name: string, args: InDockerArgs): pulumi.Resource {
  // Loaded lazily, because it adds a tenth of a second to a program's start.
  const require = createRequire(import.meta.url);
  const { Container }: typeof import("@pulumi/docker/container.js") = require("@pulumi/docker/container.js");
  const { Volume }: typeof import("@pulumi/docker/volume.js") = require("@pulumi/docker/volume.js");
  const { environment, confirmed, buildArgs } = args;
  const { INSTALLATION: installation, HOST, PORT } = environment;
  const { context, drift } = observeDocker(installation);
  const image = imageName(installation, { ...context, buildArgs });

  const imageCommand = scriptCommand(
    `${name}-image`,
    {
      command: "forwarding-image",
      environment: {
        INSTALLATION: same(installation, confirmed),
        IMAGE: image,
        BUILD_ARGS: JSON.stringify(buildArgs),
        HOST,
        PORT,
      },
      drift,
    },
    { parent },
  );
  const volume = new Volume(`${name}-volume`, { name: volumeName(installation) }, { parent });
  const container = new Container(
    `${name}-container`,
    {
      ...containerArgs(image, environment, context),
      // Same value as the DRIFT of its image's Command, which is applied first. A healthy container ignores changes of
      // this label; an unhealthy one is replaced by them.
      labels: [{ label: driftLabel, value: repairOf(`${name}-image`, drift) }],
    },
    {
      parent,
      dependsOn: [imageCommand, volume],
      // A new container can't have the same name and port until this one is gone.
      deleteBeforeReplace: true,
      // By default the docker plugin treats a mount's new source or target as an in-place change, but does not apply
      // it.
      replaceOnChanges: ["mounts"],
      ...(drift === undefined ? { ignoreChanges: ["labels"] } : {}),
    },
  );
  return scriptCommand(
    name,
    {
      command: "forwarding-server",
      environment: {
        ...environment,
        ...containerEnvironment.named({ image: pulumi.output(image), container: container.id }),
      },
      drift: drift ?? forwardingConfigDrift(installationPaths(installation), statedEnvironment(name)),
    },
    { parent },
  );
}

/** Names are built from it before the state is read, so a different value is rejected. */
function same(installation: string, confirmed: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi.output(confirmed).apply((id) => {
    if (id === installation) return id;
    throw new pulumi.RunError(
      `this stack was renamed or moved; await \`localWebs\` or \`dockerWebs\` first, and pass the \`installation\` of the result to \`new ForwardingServer(…)\``,
    );
  });
}

interface Observed {
  readonly context: MachineContext;
  readonly drift: string | undefined;
}

const observations = perRun(() => new Map<string, Observed>());

/**
 * Observes the current state, once per program. Called early, so that it fails before any change.
 *
 * @throws pulumi.RunError in `up` if Docker is not reachable, and always if it runs on another machine
 */
export function observeDocker(installation: string): Observed {
  const known = observations().get(installation);
  if (known !== undefined) return known;
  try {
    const observed = { context: machineContext(), drift: driftNow(installation) };
    observations().set(installation, observed);
    return observed;
  } catch (error) {
    throw error instanceof DockerError ? new pulumi.RunError(inWords(error)) : error;
  }
}

function driftNow(installation: string): string | undefined {
  try {
    return containerDrift(installationPaths(installation).forwarding, observeContainer(installation));
  } catch (error) {
    if (!(error instanceof DockerError && pulumi.runtime.isDryRun())) throw error;
    pulumi.log.warn(inWords(error));
    return undefined;
  }
}

const inWords = ({ message }: DockerError) => `the forwarding server in Docker: ${message}`;
