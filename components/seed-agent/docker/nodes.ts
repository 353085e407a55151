import { dockerClient } from "../../docker/client.ts";
import { DockerError, NoSuchThing, runDocker } from "../../docker/run-docker.ts";
import { masked } from "../../lib/masking.ts";
import { SeedAgentError } from "../provider.ts";
import { stopSeconds } from "./container-args.ts";
import { awaitHealth, type Found, type HealthOptions } from "./containers.ts";
import { containerName, dataVolume, formerName, labels, nodeId, type Owner, ownerLabels } from "./names.ts";

const seconds = { asked: 60, done: 120 };

interface NewContainer {
  /** Of `docker container create`. */
  readonly args: readonly string[];
  readonly secrets: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Changes to the containers of nodes. All methods throw DockerError, or SeedAgentError with the remedy. */
export function dockerNodes(options: Omit<HealthOptions, "signal">) {
  const { env } = options;
  const client = dockerClient(env);
  const run = (args: readonly string[]) => runDocker(args, { env, timeoutSeconds: seconds.done });
  const healthOf = (owner: Owner, name: string, signal: AbortSignal | undefined) =>
    awaitHealth(owner, name, { ...options, signal });

  /** Finishes a deployment that was killed: where a new container is not healthy, the former one is the node again. */
  async function recover(owner: Owner, found: readonly Found[]): Promise<boolean> {
    let changed = false;
    for (const former of found.filter((each) => each.name === formerName(owner, each.index))) {
      const successor = found.find((each) => each.name === containerName(owner, former.index));
      if (successor !== undefined && successor.problem === undefined) await client.removeContainer(former.id);
      else {
        if (successor !== undefined) await client.removeContainer(successor.id);
        await run(["container", "rename", former.id, containerName(owner, former.index)]);
        await run(["container", "start", former.id]);
      }
      changed = true;
    }
    return changed;
  }

  async function logTail(name: string, lines: number): Promise<string> {
    const args = ["container", "logs", "--tail", String(lines), name];
    const { stdout, stderr } = await runDocker(args, { env, timeoutSeconds: seconds.asked });
    return `${stdout}${stderr}`;
  }

  /** The last lines that a container printed. Contains no secret. */
  async function tailOf(name: string, secrets: Readonly<Record<string, string>>): Promise<string> {
    const printed = await logTail(name, 10).catch(() => "");
    return masked(printed, Object.values(secrets)).trim() || "it printed nothing";
  }

  /** Creates or replaces a node's container. If the new one does not become healthy, the former one runs again. */
  async function replace(
    owner: Owner,
    index: number,
    former: Found | undefined,
    { args, secrets, signal }: NewContainer,
  ): Promise<void> {
    const name = containerName(owner, index);
    if (former !== undefined) {
      await run(["container", "rename", former.id, formerName(owner, index)]);
      await run(["container", "stop", "--time", String(stopSeconds), former.id]);
    }
    await client.createVolume(dataVolume(owner, index), { ...ownerLabels(owner), [labels.node]: String(index) });
    const fail = async (reason: string): Promise<never> => {
      const printed = await tailOf(name, secrets);
      await client.removeContainer(name).catch(ignoreMissing);
      let result = "it does not run";
      if (former !== undefined) {
        await run(["container", "rename", former.id, name]);
        await run(["container", "start", former.id]);
        result = "the former one runs again";
      }
      throw new SeedAgentError(`node ${nodeId(owner, index)}: ${reason}; ${result}. It printed:\n${printed}`);
    };
    try {
      await run(["container", "create", ...args]);
      await run(["container", "start", name]);
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      await fail(remedyOf(error.message));
    }
    const problem = await healthOf(owner, name, signal);
    if (problem !== undefined) await fail(problem);
    if (former !== undefined) await client.removeContainer(former.id);
  }

  /** Stops and removes a container; its volume stays. Succeeds if it is already gone. */
  async function remove({ id, running }: Found): Promise<void> {
    if (running) await run(["container", "stop", "--time", String(stopSeconds), id]).catch(ignoreMissing);
    await client.removeContainer(id);
  }

  return { recover, replace, remove, logTail, awaitHealth: healthOf };
}

function remedyOf(message: string): string {
  const isPort = /port is already allocated|address already in use/i.test(message);
  return isPort ? `${message}; another program uses the port: end it, or write another port` : message;
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof NoSuchThing)) throw error;
}
