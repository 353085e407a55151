import { z } from "zod/mini";
import type { Bag } from "../wire.ts";
import { type Daemon, DaemonError, orGone } from "./daemon.ts";
import { volumeFields } from "./fields.ts";
import { labels, labelsOf, toLabelMap } from "./labels.ts";
import { pause, type Resource } from "./resource.ts";

const inputsOf = z.object({ name: z.string(), labels: z.optional(labels), driver: z.optional(z.string()) });
const inspected = z.object({
  Name: z.string(),
  Driver: z.string(),
  Mountpoint: z.string(),
  Labels: z.nullish(z.record(z.string(), z.string())),
});

/** How long a container that is being removed may still use a volume. Milliseconds. */
const timeouts = 30_000;

export const volume: Resource = {
  token: "docker:index/volume:Volume",
  fields: volumeFields,
  constants: { __meta: JSON.stringify({ schema_version: "1" }) },
  results: ["mountpoint"],

  async create({ daemon }, bag) {
    const inputs = inputsOf.parse(bag);
    const body = { Name: inputs.name, Driver: inputs.driver, Labels: toLabelMap(inputs.labels) };
    try {
      const { Name: id } = inspected.parse(await daemon.call("POST", "/volumes/create", { body }));
      return { id, state: stateOf(await inspect(daemon, id)) };
    } catch (error) {
      throw new Error(`Unable to create volume: ${text(error)}`);
    }
  },

  async read({ daemon }, id) {
    const found = await inspect(daemon, id).catch(orGone);
    return found && stateOf(found);
  },

  async update() {
    // No property of a volume can be changed.
  },

  async delete(task, id) {
    const deadline = Date.now() + timeouts;
    for (;;) {
      try {
        return void (await task.daemon.call("DELETE", `/volumes/${id}`, { query: { force: "1" } }));
      } catch (error) {
        if (!isInUse(error) || Date.now() > deadline) throw error;
        await pause(task, 500);
      }
    }
  },
};

const inspect = async (daemon: Daemon, name: string) => inspected.parse(await daemon.call("GET", `/volumes/${name}`));

const stateOf = (found: z.infer<typeof inspected>): Bag => ({
  ...volume.constants,
  id: found.Name,
  name: found.Name,
  driver: found.Driver,
  mountpoint: found.Mountpoint,
  labels: labelsOf(found.Labels),
});

const isInUse = (error: unknown): boolean => error instanceof DaemonError && error.status === 409;
const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
