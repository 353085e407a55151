import { z } from "zod/mini";

/** A property bag as it is on the wire: secrets and unknown values in their wire form. */
export const bag = z.record(z.string(), z.json());
const jsonObject = z.record(z.string(), z.json());
export type Bag = z.infer<typeof bag>;

/** One request of a scenario, in the words of provider.proto. */
export const request = z.strictObject({
  method: z.enum([
    "check",
    "diff",
    "create",
    "update",
    "delete",
    "read",
    "invoke",
    "checkConfig",
    "diffConfig",
    "getPluginInfo",
    "getSchema",
  ]),
  /** Resource type or function token; `command:local:Command` and `command:local:run` when left out. */
  token: z.optional(z.string()),
  id: z.optional(z.string()),
  olds: z.optional(bag),
  oldInputs: z.optional(bag),
  news: z.optional(bag),
  ignoreChanges: z.optional(z.array(z.string())),
  preview: z.optional(z.boolean()),
  timeoutSeconds: z.optional(z.number()),
});
export type Request = z.infer<typeof request>;

/** What the plugin answered and what it sent to the engine's log while it worked. */
export const answer = z.strictObject({
  response: z.optional(jsonObject),
  error: z.optional(z.strictObject({ code: z.string(), message: z.string() })),
  log: z.array(z.string()),
});
export type Answer = z.infer<typeof answer>;
