import * as z from "zod/mini";
import type { Diagnostic } from "../fleet/diagnostics.ts";
import { option } from "../fleet/documented.ts";
import type { SettingsTable } from "../fleet/kind.ts";
import { zoneDiagnostics } from "./zone.ts";

/** Keys of the fleet file that only scheduled changelings have. */
const table = z.strictObject({
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
});

export type CronKeys = z.output<typeof table>;

export interface CronSettings {
  /** The maximum number of concurrent runs on this machine; undefined: the number of CPU cores, at least 2. */
  readonly maxRunsAtOnce: number | undefined;
}

export const cronSettings: SettingsTable<CronKeys, CronSettings> = {
  table,
  check: ({ timezone }): Diagnostic[] => (timezone === undefined ? [] : zoneDiagnostics(timezone, ["timezone"])),
  resolve: ({ max_runs_at_once: maxRunsAtOnce }) => ({ maxRunsAtOnce }),
};
