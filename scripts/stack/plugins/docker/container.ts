import { z } from "zod/mini";
import { containerInputs, toConfig } from "./container-config.ts";
import { containerConstants, type Inspected, inspect, stateOf } from "./container-state.ts";
import { type Daemon, DaemonError, orGone } from "./daemon.ts";
import { containerFields } from "./fields.ts";
import { pause, type Resource, type Task } from "./resource.ts";

const created = z.object({ Id: z.string() });

export const container: Resource = {
  token: "docker:index/container:Container",
  fields: containerFields,
  constants: containerConstants,
  results: [
    "bridge",
    "containerLogs",
    "exitCode",
    "healthcheck",
    "ipcMode",
    "networkDatas",
    "platform",
    "runtime",
    "securityOpts",
    "shmSize",
  ],

  async create(task, bag) {
    const inputs = containerInputs.parse(bag);
    const { daemon } = task;
    await ensureImage(task, inputs.image);
    const { Id: id } = await daemon
      .call("POST", "/containers/create", { query: { name: inputs.name }, body: toConfig(inputs) })
      .then((answer) => created.parse(answer))
      .catch(prefix("Unable to create container"));
    try {
      if (inputs.start) await start(daemon, id);
      if (inputs.start && inputs.wait) await awaitHealth(task, id, inputs.waitTimeout);
      return { id, state: stateOf(await inspect(daemon, id), bag) };
    } catch (error) {
      // Remove a container that did not start: nothing would track it, and its name would be taken.
      await remove(daemon, id, true).catch(() => {});
      throw error;
    }
  },

  async read({ daemon }, id, state) {
    const found = await inspect(daemon, id).catch(orGone);
    return found && stateOf(found, state);
  },

  async update({ daemon }, id, state, bag) {
    const inputs = containerInputs.parse(bag);
    if (state["mustRun"] === false && inputs.mustRun && inputs.start) await start(daemon, id);
    if (state["restart"] !== inputs.restart) {
      const body = { RestartPolicy: { Name: inputs.restart } };
      await daemon.call("POST", `/containers/${id}/update`, { body }).catch(prefix("Unable to update a container"));
    }
  },

  async delete({ daemon }, id, state) {
    const grace = z.catch(z.number(), 0).parse(state["destroyGraceSeconds"]);
    await daemon
      .call("POST", `/containers/${id}/stop`, { query: { t: String(grace) } })
      .catch(orGone)
      .catch(prefix(`Error stopping container ${id}`));
    const withVolumes = state["removeVolumes"] !== false;
    await remove(daemon, id, withVolumes).catch(prefix(`Error deleting container ${id}`));
  },
};

/** Pulls an image that is missing. */
async function ensureImage({ daemon, log }: Task, image: string): Promise<void> {
  try {
    if ((await daemon.call("GET", `/images/${image}/json`).catch(orGone)) !== undefined) return;
    await log(`pulling ${image}`);
    await daemon.pull(image);
  } catch (error) {
    throw new Error(`Unable to create container with image ${image}: ${text(error)}`);
  }
}

const start = (daemon: Daemon, id: string) =>
  daemon.call("POST", `/containers/${id}/start`).catch(prefix("Unable to start container"));

async function awaitHealth(task: Task, id: string, seconds: number): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const { State: state }: Inspected = await inspect(task.daemon, id);
    if (state.Health == null) {
      throw new Error(
        "there is nothing to wait for: the image has no HEALTHCHECK. Use another image, or leave out `wait`",
      );
    }
    if (state.Health.Status === "healthy") return;
    if (!state.Running) throw new Error(`the container ended with exit code ${state.ExitCode} before it was healthy`);
    if (Date.now() > deadline) throw new Error(`the container was not healthy after ${seconds} seconds`);
    await pause(task, 500);
  }
}

/**
 * Removes a container; a missing one, or one that is already being removed, is no error. `withVolumes` also removes its
 * anonymous volumes.
 */
async function remove(daemon: Daemon, id: string, withVolumes: boolean): Promise<void> {
  const query = { v: withVolumes ? "1" : "0", force: "1" };
  await daemon.call("DELETE", `/containers/${id}`, { query }).catch((error: unknown) => {
    const isUnderWay = error instanceof DaemonError && error.message.includes("is already in progress");
    if (!isUnderWay) orGone(error);
  });
  await daemon.call("POST", `/containers/${id}/wait`, { query: { condition: "removed" } }).catch(orGone);
}

const prefix = (what: string) => (error: unknown) => {
  throw new Error(`${what}: ${text(error)}`);
};
const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
