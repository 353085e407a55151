import { existsSync } from "node:fs";
import { createServer } from "node:net";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { outdatedInWords } from "../../host/supervision/state.ts";
import { messageOf } from "../../lib/as-error.ts";
import { changelingCommand, upCommand as up } from "../../lib/own-commands.ts";
import { type Check, failed, ok, warning } from "../../stack/check.ts";
import type { InspectedStack } from "../../stack/inspection.ts";
import type { ForwardingSettings } from "../forwarding/declared.ts";
import { imageName } from "../forwarding/docker/image.ts";
import { type InstalledContainer, readContainer } from "../forwarding/docker/installed-container.ts";
import { machineContext } from "../forwarding/docker/machine-context.ts";
import { containerDrift, observeContainer } from "../forwarding/docker/observe-container.ts";
import { configPath, type ForwardingConfig, readConfig } from "../forwarding/program/config.ts";
import { forwardingStatus } from "../forwarding/server-client.ts";
import { forwardingState } from "../forwarding/state.ts";
import { forwardingBootInstructions } from "../forwarding/supervise.ts";

const name = "forwarding server";

/** Checks the server through which all web changelings of a stack are reached. */
export async function forwardingCheck(
  { paths, installation }: Pick<InspectedStack, "paths" | "installation">,
  settings: ForwardingSettings | undefined,
): Promise<Check> {
  const container = readContainer(paths.forwarding);
  if (container !== undefined) return containerCheck(paths, container, installation, settings);
  const state = forwardingState(paths);
  if (state.alive) {
    const detail = `running at ${(await forwardingStatus(paths))?.url} (pid ${state.pid})`;
    const outdated = outdatedInWords(state);
    if (outdated !== undefined) return warning(name, `${detail}; it ${outdated}`, up());
    const remedy = forwardingBootInstructions(installation);
    return { ...ok(name, detail), ...(remedy === undefined ? {} : { remedy }) };
  }
  if (!existsSync(configPath(paths.forwarding))) return await neverStarted(settings?.forwarding);
  try {
    const config = readConfig(paths.forwarding);
    if (!(await isTaken(config))) {
      return failed(name, "not running, so no page is reachable", `start it with: ${changelingCommand()} forward`);
    }
    const detail = `not running, because another program has its port ${config.port}`;
    return failed(
      name,
      detail,
      `end that program, or take another port: ${changelingCommand()} forward --port ${config.port + 1}`,
    );
  } catch (error) {
    return failed(name, messageOf(error), up());
  }
}

async function neverStarted(wanted: Pick<ForwardingConfig, "host" | "port"> | undefined): Promise<Check> {
  if (wanted === undefined || !(await isTaken(wanted))) return failed(name, "not started yet", up());
  const detail = `not started, because another program has its port ${wanted.port}`;
  return failed(name, detail, `end that program, or set another port in [forwarding] of the fleet file; then: ${up()}`);
}

/** Whether another process listens on the forwarding server's address. */
function isTaken({ port, host }: Pick<ForwardingConfig, "host" | "port">): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error) => resolve("code" in error && error.code === "EADDRINUSE"));
    probe.listen({ port, host }, () => probe.close(() => resolve(false)));
  });
}

async function containerCheck(
  paths: InstallationPaths,
  container: InstalledContainer,
  installation: string,
  settings: ForwardingSettings | undefined,
): Promise<Check> {
  try {
    const drift = containerDrift(paths.forwarding, observeContainer(installation));
    if (drift !== undefined) return failed(name, `${drift}, so no page is reachable`, `repair it with: ${up()}`);
    const status = await forwardingStatus(paths);
    if (status === undefined) return failed(name, "it does not answer", `see: docker logs ${container.name}`);
    const detail = `running at ${status.url} (container ${container.name})`;
    return isOlder(container, installation, settings)
      ? warning(name, `${detail}; its image is outdated`, up())
      : ok(name, detail);
  } catch (error) {
    return failed(name, messageOf(error));
  }
}

function isOlder(
  { image }: InstalledContainer,
  installation: string,
  settings: ForwardingSettings | undefined,
): boolean {
  if (settings?.forwarding.provider !== "docker") return false;
  return image !== imageName(installation, { ...machineContext(), buildArgs: settings.forwarding.buildArgs });
}
