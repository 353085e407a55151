/** Starts or removes the forwarding server of a stack's web changelings: the `forwarding` Command. */
import { rmSync } from "node:fs";
import { homedir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { environmentCodec } from "../../command-environment.ts";
import { commandScript } from "../../command-script.ts";
import { isDockerVariable } from "../../docker/run-docker.ts";
import { removeEmptyFolders, requireInstallationHere } from "../../host/claims.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { logTail } from "../../host/supervision/supervise.ts";
import { changelingCommand } from "../../lib/own-commands.ts";
import { printNote } from "../../lib/terminal.ts";
import { isModalVariable } from "../../modal/environment.ts";
import { adminRequest } from "./admin-client.ts";
import { containerLogTail, endContainer } from "./docker/end-container.ts";
import { writeContainer } from "./docker/installed-container.ts";
import { containerName } from "./docker/names.ts";
import { configOf, containerVariables, forwardingVariables } from "./forwarding-environment.ts";
import { writeForwardingConfig } from "./installed-config.ts";
import { forwardingDaemon, startForwardingServer, stopForwardingServer } from "./supervise.ts";
import { tryPort } from "./try-port.ts";

/** Timeout for its first response, in milliseconds. */
const timeoutMs = 20_000;
const pauseMs = 100;

const status = z.object({ port: z.number(), url: z.string(), pid: z.number() });
type Status = z.infer<typeof status>;

export default commandScript({
  variables: environmentCodec({ ...forwardingVariables, ...containerVariables }).schema,
  keeps: (name) => isModalVariable(name) || isDockerVariable(name),
  timeoutSeconds: 120,
  async apply(variables) {
    const { installation, container: id, image } = variables;
    const paths = installationPaths(installation);
    const config = { ...configOf(variables), cli: changelingCommand() };
    if (id !== undefined && image !== undefined) {
      const name = containerName(installation);
      writeForwardingConfig(paths, config);
      writeContainer(paths.forwarding, { name, id, image });
      const { url } = await answering(installation, () => containerLogTail(name));
      printNote(`forwarding server running at ${url} (container ${name})\n`);
      return { forwarding: "running", url };
    }
    await tryPort(installation, paths, config);
    await endContainer(paths.forwarding);
    writeForwardingConfig(paths, config);
    await stopForwardingServer(installation);
    const { pid, supervisor } = await startForwardingServer(installation);
    const { url } = await answering(installation, () => logTail(forwardingDaemon(installation, homedir())));
    printNote(`forwarding server running at ${url} (pid ${pid}, kept running by ${supervisor})\n`);
    return { forwarding: "running", url };
  },
  async remove({ installation }) {
    const paths = installationPaths(installation);
    requireInstallationHere(paths);
    await stopForwardingServer(installation);
    rmSync(paths.forwarding, { recursive: true, force: true });
    removeEmptyFolders(paths);
    return { forwarding: "removed" };
  },
});

/**
 * Waits until the server responds: a running process may not serve yet.
 * @throws with the log tail if it does not respond
 */
async function answering(installation: string, tail: () => string | Promise<string>): Promise<Status> {
  const folder = installationPaths(installation).forwarding;
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(pauseMs)) {
    try {
      return status.parse(await adminRequest(folder, { op: "status" }));
    } catch {
      // The socket does not exist yet, or the server crashed and is being restarted.
    }
  }
  throw new Error(`the forwarding server does not answer after ${timeoutMs / 1000} s: ${await tail()}`);
}
