/** Prepares what the forwarding server's container needs, or removes its images: the `forwarding-image` Command. */
import { mkdirSync } from "node:fs";
import * as z from "zod/mini";
import { commandScript } from "../../../command-script.ts";
import { isDockerVariable, runDocker } from "../../../docker/run-docker.ts";
import { ensureFolder } from "../../../host/files.ts";
import { installationPaths } from "../../../host/installation-paths.ts";
import { printNote } from "../../../lib/terminal.ts";
import { stopForwardingServer } from "../supervise.ts";
import { tryPort } from "../try-port.ts";
import { buildImage, removeImages } from "./image.ts";
import { readContainer } from "./installed-container.ts";
import { foreignDocker, machineContext } from "./machine-context.ts";
import { foundContainer, hasImage } from "./observe-container.ts";

const buildArgs = z.array(z.string());

export default commandScript({
  variables: z.object({
    INSTALLATION: z.string(),
    IMAGE: z.string(),
    /** JSON: a list of `KEY=VALUE`. */
    BUILD_ARGS: z.string(),
    HOST: z.string(),
    PORT: z.string(),
  }),
  keeps: isDockerVariable,
  timeoutSeconds: 1800,
  async apply({ INSTALLATION: installation, IMAGE: image, BUILD_ARGS, HOST: host, PORT }) {
    const paths = installationPaths(installation);
    const settings = machineContext();
    await refuseForeign();
    if (!hasImage(image)) {
      await buildImage(image, { ...settings, buildArgs: buildArgs.parse(JSON.parse(BUILD_ARGS)) });
    }
    // Docker can't mount a folder that does not exist.
    for (const folder of [paths.root, paths.web, paths.forwarding]) ensureFolder(folder);
    for (const folder of [...settings.hostDirs, settings.tmuxFolder])
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    await tryPort(installation, paths, { host, port: Number(PORT) });
    await removeOrphan(installation, paths.forwarding);
    await stopForwardingServer(installation);
    await removeImages(installation, image);
    return { image };
  },
  async remove({ INSTALLATION: installation }) {
    await removeImages(installation);
    return { images: "removed" };
  },
});

/** @throws if Docker's containers are isolated from this machine */
async function refuseForeign(): Promise<void> {
  const format = "{{.OperatingSystem}} {{json .SecurityOptions}}";
  const { stdout } = await runDocker(["info", "--format", format], { timeoutSeconds: 60 });
  const kind = foreignDocker(stdout, process.platform);
  if (kind === undefined) return;
  throw new Error(
    `${kind} has its own network and processes, so it can't reach agents on this machine; write provider = "local" in [forwarding]`,
  );
}

/** Removes a container with this name that no finished `up` recorded, because Docker rejects a second one. */
async function removeOrphan(installation: string, folder: string): Promise<void> {
  const found = foundContainer(installation);
  if (found === undefined || found.id === readContainer(folder)?.id) return;
  printNote(`removing the container of an unfinished update: ${found.id.slice(0, 12)}\n`);
  await runDocker(["container", "rm", "--force", found.id], { timeoutSeconds: 60 });
}
