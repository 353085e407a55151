import { createServer } from "node:net";
import type { InstallationPaths } from "../../../components/host/installation-paths.ts";
import { outdatedInWords } from "../../../components/host/supervision/state.ts";
import type { Fleet } from "../../../components/kinds.ts";
import { asError } from "../../../components/lib/as-error.ts";
import { changelingCommand, upCommand as up } from "../../../components/lib/own-commands.ts";
import { imageName } from "../../../components/web/forwarding/docker/image.ts";
import {
  type InstalledContainer,
  readContainer,
} from "../../../components/web/forwarding/docker/installed-container.ts";
import { containerDrift, lookAtContainer } from "../../../components/web/forwarding/docker/look.ts";
import { surroundingsHere } from "../../../components/web/forwarding/docker/surroundings.ts";
import { type ForwardingConfig, readConfig } from "../../../components/web/forwarding/program/config.ts";
import { forwardingStatus } from "../../../components/web/forwarding/server-client.ts";
import { forwardingState } from "../../../components/web/forwarding/state.ts";
import { forwardingBootInstructions } from "../../../components/web/forwarding/supervise.ts";
import { installationOf } from "../../stack/stack.ts";
import type { Place } from "../place.ts";
import { type Check, failed, ok, warning } from "./check.ts";

const name = "forwarding server";

/** Checks the server through which all web changelings of a stack are reached. */
export async function forwardingCheck(
  { paths, stack }: Pick<Place, "paths" | "stack">,
  fleet: Fleet | undefined,
): Promise<Check> {
  const container = readContainer(paths.forwarding);
  if (container !== undefined) return containerCheck(paths, container, installationOf(stack), fleet);
  const state = forwardingState(paths);
  if (state.alive) {
    const detail = `running at ${(await forwardingStatus(paths))?.url} (pid ${state.pid})`;
    const outdated = outdatedInWords(state);
    if (outdated !== undefined) return warning(name, `${detail}; it ${outdated}`, up());
    const remedy = forwardingBootInstructions(installationOf(stack));
    return { ...ok(name, detail), ...(remedy === undefined ? {} : { remedy }) };
  }
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
    return failed(name, asError(error).message, up());
  }
}

/** Whether another process listens on the forwarding server's address. */
function isTaken({ port, host }: ForwardingConfig): Promise<boolean> {
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
  fleet: Fleet | undefined,
): Promise<Check> {
  try {
    const drift = containerDrift(paths.forwarding, lookAtContainer(installation));
    if (drift !== undefined) return failed(name, `${drift}, so no page is reachable`, `repair it with: ${up()}`);
    const status = await forwardingStatus(paths);
    if (status === undefined) return failed(name, "it does not answer", `see: docker logs ${container.name}`);
    const detail = `running at ${status.url} (container ${container.name})`;
    return isOlder(container, installation, fleet)
      ? warning(name, `${detail}; its image is outdated`, up())
      : ok(name, detail);
  } catch (error) {
    return failed(name, asError(error).message);
  }
}

function isOlder({ image }: InstalledContainer, installation: string, fleet: Fleet | undefined): boolean {
  if (fleet?.settings.web.forwarding.provider !== "docker") return false;
  return (
    image !== imageName(installation, { ...surroundingsHere(), buildArgs: fleet.settings.web.forwarding.buildArgs })
  );
}
