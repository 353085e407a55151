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
import { containerDrift, lookAtContainer } from "./look.ts";
import { volumeName } from "./names.ts";
import { type Surroundings, surroundingsHere } from "./surroundings.ts";

export interface InDockerArgs {
  readonly environment: ForwardingEnvironment;
  /** The same installation, as the stack's state confirms it; it may still be looked at. */
  readonly confirmed: pulumi.Input<string>;
  readonly buildArgs: readonly string[];
}

/** The label that is stated anew when the container is to be replaced. */
const driftLabel = "changelings_drift";

/**
 * The forwarding server as a container: its image, a volume for what it keeps, the container, and the Command that tells
 * the way to it and sees that it answers.
 *
 * @returns the Command
 * @throws as `lookInDocker`
 */
export function forwardingInDocker(parent: pulumi.Resource, name: string, args: InDockerArgs): pulumi.Resource {
  // Loaded for who uses it alone: it takes a tenth of a second of every program's start.
  const require = createRequire(import.meta.url);
  const { Container }: typeof import("@pulumi/docker/container.js") = require("@pulumi/docker/container.js");
  const { Volume }: typeof import("@pulumi/docker/volume.js") = require("@pulumi/docker/volume.js");
  const { environment, confirmed, buildArgs } = args;
  const { INSTALLATION: installation, HOST, PORT } = environment;
  const { surroundings, drift } = lookInDocker(installation);
  const image = imageName(installation, { ...surroundings, buildArgs });

  const place = scriptCommand(
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
      ...containerArgs(image, environment, surroundings),
      // As the DRIFT of its image's Command, which is applied first: a healthy container ignores it, and the change
      // replaces one that is not.
      labels: [{ label: driftLabel, value: repairOf(`${name}-image`, drift) }],
    },
    {
      parent,
      dependsOn: [place, volume],
      // Its name and its port are taken until it is gone.
      deleteBeforeReplace: true,
      // Of itself the docker plugin takes another source or target of a mount for a change in place, and makes none.
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

/** Names are made of it before the state is read: another one is refused. */
function same(installation: string, confirmed: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi.output(confirmed).apply((id) => {
    if (id === installation) return id;
    throw new pulumi.RunError(
      `this stack was renamed or moved: before \`new ForwardingServer(…)\`, await what \`localWebs\` or \`dockerWebs\` returns, and give it its \`installation\``,
    );
  });
}

interface Looked {
  readonly surroundings: Surroundings;
  readonly drift: string | undefined;
}

const looks = perRun(() => new Map<string, Looked>());

/**
 * Looks at what there is, once in a program: asked for early, it refuses before anything is touched.
 *
 * @throws pulumi.RunError in `up`, when Docker does not answer; and when it is another machine's
 */
export function lookInDocker(installation: string): Looked {
  const known = looks().get(installation);
  if (known !== undefined) return known;
  try {
    const surroundings = surroundingsHere();
    const look = { surroundings, drift: driftNow(installation) };
    looks().set(installation, look);
    return look;
  } catch (error) {
    throw error instanceof DockerError ? new pulumi.RunError(inWords(error)) : error;
  }
}

function driftNow(installation: string): string | undefined {
  try {
    return containerDrift(installationPaths(installation).forwarding, lookAtContainer(installation));
  } catch (error) {
    if (!(error instanceof DockerError && pulumi.runtime.isDryRun())) throw error;
    pulumi.log.warn(inWords(error));
    return undefined;
  }
}

const inWords = ({ message }: DockerError) => `the forwarding server in Docker: ${message}`;
