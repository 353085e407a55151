import * as z from "zod/mini";
import { noBuild } from "../fleet/build-args.ts";
import { type AppliesOf, option } from "../fleet/documented.ts";
import { commonOptions, providerOption, sharedOptions } from "../fleet/options.ts";
import { duration, durationUnit, seconds, word } from "../fleet/values.ts";

/** The options of `kind = "cron"` alone. */
export const optionsOfCron = {
  schedule: option(z._default(z.string(), "0 3 * * *"), {
    description:
      "When it fires: minute, hour, day of month, month, day of week. If both days are restricted, it fires when either matches.",
    unit: "cron expression, five fields",
    example: "0 6 * * 1-5",
  }),
  timezone: option(z.optional(z.string()), {
    description:
      "The zone that the schedule is read in. When the clock is set back, a repeated time fires once, unless the hour begins with `*`. A time that a clock change skips fires right after it on this machine; what Modal does then is not documented.",
    unit: "IANA time zone",
    example: "Europe/Berlin",
    defaultInWords:
      "the file's `timezone`, else the stack's `changelings:timezone`, else the zone of this machine (with `CI=true`: an error)",
  }),
  allow_frequent: option(z._default(z.boolean(), false), {
    description: "Allows a schedule that fires more often than every 5 minutes.",
    example: true,
  }),
  catch_up: option(z._default(z.boolean(), true), {
    description: "Whether a time that passed while the machine slept is caught up, once, when it wakes.",
    example: false,
  }),
  catch_up_within: option(z._default(duration(), "24h"), {
    description:
      "How late a run may start, after the machine slept or while it waited for other runs. A later one is recorded as skipped.",
    unit: durationUnit,
    example: "2h",
  }),
  repo: commonOptions.repo,
  fetch: option(z._default(z.boolean(), true), {
    description:
      "Whether a run first fetches the base branch of a repository that is declared by path, and starts from the remote's branch if the local one is only behind. The local branch is not changed. A failed fetch is a warning in the run's record, and the run starts from the local branch; for a repository that is declared by URL it fails the run.",
    example: false,
  }),
  template: option(z.optional(word()), {
    description:
      "A `create_templates` entry of mngr's settings to start from: of your own settings, or on this machine of the repository's, of which only `create_templates` and `agent_types` count. On `modal` only your own count.",
    example: "my-template",
    defaultInWords: "none",
  }),
  initial_message: option(z.optional(word()), {
    description:
      "The first message to the agent, instead of that of its template or stock changeling. At most 100,000 bytes.",
    example: "Fix one FIXME and say which.",
    defaultInWords: "the stock changeling's prompt, else `/<agent_type>` where the type has that command",
  }),
  image: option(z._default(z.enum(["clone", "snapshot", "pinned", "custom"]), "clone"), {
    description:
      "How the code gets to the agent. `clone`: it is cloned when the agent starts. `snapshot`: a machine that `pulumi up` snapshotted, updated to the branch's latest commit. `pinned`: an image of the repository's Dockerfile, with the commit that the branch had in `pulumi up`. `custom`: an image that `build_args`, `template` or mngr's settings choose, and a clone.",
    example: "snapshot",
  }),
  history_depth: option(z._default(z.int().check(z.gte(1), z.lte(100_000)), 1), {
    description: "How much history comes with the pinned commit, which counts as one.",
    unit: "commits",
    example: 50,
  }),
  allow_unpushed: option(z._default(z.boolean(), false), {
    description: "Whether to pin a commit that the remote does not have, or that has uncommitted changes beside it.",
    example: true,
  }),
  snapshot_max_age: commonOptions.snapshot_max_age,
  verify: option(z._default(z.enum(["call", "none"]), "call"), {
    description:
      "How a deployment is verified, beyond being listed. `call`: by a cheap call of its function, which checks that the tools and secrets are there. `none`: not at all, which is faster.",
    example: "none",
  }),
  timeout_seconds: commonOptions.timeout_seconds,
  settle_seconds: option(z._default(seconds(5, 3600), 60), {
    description: "How long a conversational agent must have been waiting before its run counts as done.",
    unit: "seconds",
    example: 120,
  }),
  overlap: option(z._default(z.enum(["skip", "queue"]), "skip"), {
    description:
      "What happens when it fires while its last run is under way: `skip` records that and starts nothing, `queue` runs it afterwards (on `local` only).",
    example: "queue",
  }),
  keep_runs: option(z._default(z.int().check(z.gte(0), z.lte(1000)), 5), {
    description: "How many ended runs keep their stopped agent, for `mngr connect`.",
    unit: "runs",
    example: 20,
  }),
} as const;

export const cronProviders = ["local", "modal"] as const;

/** Where a schedule can fire. */
export type CronProvider = (typeof cronProviders)[number];

/** All options of a cron changeling, defaults filled in. */
export const cronTable = z.strictObject({
  ...sharedOptions,
  provider: providerOption(cronProviders, { docker: { kind: "web", because: "no schedule fires there" } }),
  ...optionsOfCron,
});

/** A changeling's options as the file names them, after defaults. */
export type CronOptions = z.output<typeof cronTable>;

const onlyPinned = { providers: ["modal"], needs: { image: "pinned" } } as const;
const neverSleeps = { providers: ["local"], ignored: "whose schedules never sleep" } as const;

/** Where its options apply. */
export const cronApplies = {
  build_args: { providers: ["modal"], otherwise: noBuild },
  image: { providers: ["modal"] },
  history_depth: onlyPinned,
  allow_unpushed: onlyPinned,
  snapshot_max_age: { providers: ["modal"], needs: { image: "snapshot" } },
  verify: { providers: ["modal"] },
  catch_up: neverSleeps,
  catch_up_within: neverSleeps,
  fetch: { providers: ["local"], ignored: "whose agents always clone" },
} satisfies AppliesOf<CronOptions>;

export const cronNoun = "scheduled changeling";
