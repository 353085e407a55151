import * as z from "zod/mini";
import { option } from "../fleet/options/documented.ts";
import { duration, durationUnit, seconds, word } from "../fleet/options/values.ts";

/** The options of `kind = "cron"` alone. */
export const optionsOfCron = {
  schedule: option(z._default(z.string(), "0 3 * * *"), {
    description:
      "When it fires: minute, hour, day of month, month, day of week. When both days are restricted, either one suffices.",
    unit: "cron expression, five fields",
    example: "0 6 * * 1-5",
  }),
  timezone: option(z.optional(z.string()), {
    description:
      "The zone that the schedule is read in. Where the clock is set back, a time that comes twice fires once, unless the hour begins with `*`. On `modal` it is not known whether a time fires that a clock change leaves out; on this machine it fires right after it.",
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
    description:
      "Whether a time that passed while the machine slept is made up for, once, when it wakes. On `modal` it means nothing: its schedules never sleep.",
    example: false,
  }),
  catch_up_within: option(z._default(duration(), "24h"), {
    description:
      "On `local` alone: how late a time may be fired, after the machine slept or while other runs were waited for. What is later is recorded as skipped.",
    unit: durationUnit,
    example: "2h",
  }),
  repo: option(z.optional(word()), {
    description:
      "The git repository to work on: a path (`~` and paths relative to the fleet file are understood) or a URL. On `modal` agents clone it by https: a path must have a remote.",
    example: "~/src/app",
    defaultInWords: "the stack's `changelings:repo`, else the git repository around the fleet file",
  }),
  fetch: option(z._default(z.boolean(), true), {
    description:
      "Whether the base branch of a repository that is declared by its path is fetched before a run, which then starts from the remote's branch when the local one is only behind. The local branch stays as it is. A fetch that fails is a warning in the run's record, and the run starts from what is there; for a repository that is declared by URL it fails the run. On `modal` it means nothing: agents always clone.",
    example: false,
  }),
  template: option(z.optional(word()), {
    description:
      "A `create_templates` entry of mngr's settings to start from: of your own, or on this machine of the repository's, of whose settings nothing but `create_templates` and `agent_types` counts. On `modal` your own alone count.",
    example: "my-template",
    defaultInWords: "none",
  }),
  initial_message: option(z.optional(word()), {
    description:
      "The first message to the agent, instead of the one of its template or stock changeling. At most 100,000 bytes.",
    example: "Fix one FIXME and say which.",
    defaultInWords: "the stock changeling's prompt, else `/<agent_type>` where the type has that command",
  }),
  image: option(z._default(z.enum(["clone", "snapshot", "pinned", "custom"]), "clone"), {
    description:
      "On `modal` alone: how the code gets to the agent. `clone`: cloned when it starts. `snapshot`: a machine that was snapshotted in `pulumi up`, brought to the branch's latest commit. `pinned`: an image of the repository's Dockerfile, with the commit that the branch had in `pulumi up`. `custom`: an image that `build_args`, `template` or mngr's settings choose, and a clone.",
    example: "snapshot",
  }),
  history_depth: option(z._default(z.int().check(z.gte(1), z.lte(100_000)), 1), {
    description: 'With `image = "pinned"` alone: how much history the pinned commit has, itself included.',
    unit: "commits",
    example: 50,
  }),
  allow_unpushed: option(z._default(z.boolean(), false), {
    description:
      'With `image = "pinned"` alone: whether to pin a commit that the remote has not, or one beside which the work tree holds changes.',
    example: true,
  }),
  snapshot_max_age: option(z.optional(duration()), {
    description: 'With `image = "snapshot"` alone: how old the snapshot may get before `pulumi up` makes a new one.',
    unit: durationUnit,
    example: "7d",
    defaultInWords: "it is never renewed",
  }),
  verify: option(z._default(z.enum(["call", "none"]), "call"), {
    description:
      "On `modal` alone: how a deploy is verified beyond its being listed. `call`: a cheap call of its function says that the tools and secrets are there. `none`: not at all, which is faster.",
    example: "none",
  }),
  timeout_seconds: option(z._default(seconds(60, 86_400), 3600), {
    description: "A run that takes longer is ended and recorded as timed out. On `modal` 86,100 at most.",
    unit: "seconds",
    example: 1800,
  }),
  settle_seconds: option(z._default(seconds(5, 3600), 60), {
    description: "How long a conversational agent must have been waiting before its run counts as done.",
    unit: "seconds",
    example: 120,
  }),
  overlap: option(z._default(z.enum(["skip", "queue"]), "skip"), {
    description:
      "When it fires while its last run is alive: `skip` records that and does nothing, `queue` runs afterwards (on `local` alone).",
    example: "queue",
  }),
  keep_runs: option(z._default(z.int().check(z.gte(0), z.lte(1000)), 5), {
    description: "How many ended runs keep their stopped agent, for `mngr connect`.",
    unit: "runs",
    example: 20,
  }),
} as const;
