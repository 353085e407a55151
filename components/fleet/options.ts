import * as z from "zod/mini";
import { optionsOfCron } from "../cron/options.ts";
import { forwardingTable } from "../web/forwarding/options.ts";
import { optionsOfWeb } from "../web/options.ts";
import type { Kind } from "./changeling.ts";
import { option } from "./options/documented.ts";
import { cronProvider, sharedOptions } from "./options/shared.ts";
import { namePattern } from "./options/values.ts";

/**
 * Every option of a changeling, by its key in TOML. Here and in `options/` is the one place where types, limits,
 * defaults and descriptions are defined: the loader, the reference, the JSON schema and the errors are made from it.
 */
export const changelingOptions = { ...sharedOptions, ...optionsOfCron, ...optionsOfWeb } as const;

export type OptionKey = keyof typeof changelingOptions;

/** The options of one changeling of a kind, defaults filled in. */
export const cronTable = z.strictObject({ ...sharedOptions, ...optionsOfCron, provider: cronProvider });
export const webTable = z.strictObject({ ...sharedOptions, ...optionsOfWeb });

/** A changeling's options as the file names them, after defaults. */
export type CronOptions = z.output<typeof cronTable>;
export type WebOptions = z.output<typeof webTable>;

/** What both kinds are checked for. */
export type SharedOptions = Pick<CronOptions | WebOptions, keyof typeof sharedOptions>;

/** What a changeling's table in the file may hold, whatever its kind. */
export const optionsTable = z.strictObject(changelingOptions);

const defaultsTable = z.omit(optionsTable, { renamed_from: true });

/** Keys of the file itself. */
export const fileOptions = {
  mngr_profile: option(z.optional(z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/))), {
    description:
      "The mngr profile of the agents. They are then kept apart from your own: `MNGR_HOST_DIR=~/.mngr-<profile> mngr list` lists them.",
    example: "changelings",
    defaultInWords: "your own profile: your `mngr list` lists the agents",
  }),
  max_runs_at_once: option(z.optional(z.int().check(z.gte(1), z.lte(1000))), {
    description:
      "How many scheduled runs of the fleet may go on at once on this machine. The others wait, in the order in which they came due. A run that is started by hand neither waits nor counts.",
    unit: "runs",
    example: 4,
    defaultInWords: "as many as the machine has cores, at least 2",
  }),
  timezone: option(z.optional(z.string()), {
    description: "The zone of every changeling that sets none.",
    unit: "IANA time zone",
    example: "Europe/Berlin",
    defaultInWords: "the stack's `changelings:timezone`, else the zone of this machine (with `CI=true`: an error)",
  }),
  forwarding: option(z.prefault(forwardingTable, {}), {
    description: "The server through which browsers reach the web changelings.",
    example: { port: 8080 },
    defaultInWords: "the defaults of its keys",
  }),
  defaults: option(z.optional(defaultsTable), {
    description:
      "Options for all changelings. A changeling's own option overrides the one here; an option that its kind does not have is ignored.",
    example: { repo: "~/src/app" },
    defaultInWords: "none",
  }),
  changelings: option(z.optional(z.record(z.string().check(z.regex(namePattern)), optionsTable)), {
    description:
      "One table for each changeling, with its name: a lower-case letter, then up to 39 lower-case letters, digits or `-`. The name alone is enough if it is an agent type.",
    example: { "fixme-fairy": { schedule: "0 6 * * 1-5" } },
    defaultInWords: "none",
  }),
} as const;

export const fileTable = z.strictObject(fileOptions);

export type FileKey = keyof typeof fileOptions;

export function isOptionKey(key: string): key is OptionKey {
  return Object.hasOwn(changelingOptions, key);
}

export function isFileKey(key: string): key is FileKey {
  return Object.hasOwn(fileOptions, key);
}

/** The kind that alone has the option of this schema; undefined: every kind has it, or it is no option of a changeling. */
export function kindOfSchema(schema: z.core.$ZodType): Kind | undefined {
  const key = Object.keys(changelingOptions).find((key) => isOptionKey(key) && changelingOptions[key] === schema);
  return key !== undefined && isOptionKey(key) ? kindOfOption(key) : undefined;
}

/** The kind that alone has the option; undefined: every kind has it. */
export function kindOfOption(key: OptionKey): Kind | undefined {
  if (Object.hasOwn(optionsOfCron, key)) return "cron";
  return Object.hasOwn(optionsOfWeb, key) ? "web" : undefined;
}
