import * as z from "zod/mini";

/** What people read of one option; its type, limits and default are in the schema. */
export interface OptionDoc {
  readonly description: string;
  readonly unit?: string;
  /** A value as it might be written. */
  readonly example: unknown;
  /** What happens without it, where that is no constant. */
  readonly defaultInWords?: string;
}

/** The documentation of each option's schema. */
export const optionDocs = z.registry<OptionDoc>();

export const namePattern = /^[a-z][a-z0-9-]{0,39}$/;
export const secretNamePattern = /^[A-Z_][A-Z0-9_]*$/;
const variablePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `7d`: a whole number and a unit. */
export const durationPattern = /^[1-9][0-9]{0,8}[smhdw]$/;

/** Kinds and providers that the specification has and this version has not. */
export const planned = {
  kind: ["web", "sandbox", "seed-agent"],
  provider: ["docker", "fly", "kubernetes"],
} as const;

function text() {
  // Arguments and environment values reach programs as C strings.
  return z.string().check(z.refine((value) => !value.includes("\0"), "holds a NUL character"));
}

function word() {
  return text().check(z.minLength(1));
}

function seconds(least: number, most: number) {
  return z.int().check(z.gte(least), z.lte(most));
}

function option<Schema extends z.ZodMiniType>(schema: Schema, doc: OptionDoc): Schema {
  optionDocs.add(schema, doc);
  return schema;
}

/**
 * Every option of a changeling, by its key in TOML: the one place where types, limits, defaults and descriptions are
 * defined. The loader, the reference, the JSON schema and the errors are made from it.
 */
export const changelingOptions = {
  description: option(z.optional(word()), {
    description: "What it is for, in a sentence. For people only.",
    example: "Fixes one FIXME a night",
    defaultInWords: "none",
  }),
  kind: option(z._default(z.enum(["cron"]), "cron"), {
    description: "What runs. `cron`: a schedule fires, a fresh agent works on a new branch and ends.",
    example: "cron",
  }),
  provider: option(z._default(z.enum(["local", "modal"]), "local"), {
    description:
      "Where it runs. `local`: on this machine, no account needed. `modal`: in the cloud, as a scheduled app of your Modal account; this machine may be off.",
    example: "modal",
  }),
  agent_type: option(z.optional(z.string().check(z.regex(/^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$/))), {
    description: "A stock changeling's name, or any agent type that mngr knows.",
    example: "fixme-fairy",
    defaultInWords: "the changeling's name",
  }),
  enabled: option(z._default(z.boolean(), true), {
    description: "Whether its schedule fires. A disabled changeling stays installed and can be run by hand.",
    example: false,
  }),
  schedule: option(z._default(z.string(), "0 3 * * *"), {
    description:
      "When it fires: minute, hour, day of month, month, day of week. When both days are restricted, either one suffices.",
    unit: "cron expression, five fields",
    example: "0 6 * * 1-5",
  }),
  timezone: option(z.optional(z.string()), {
    description: "The zone that the schedule is read in.",
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
  repo: option(z.optional(word()), {
    description:
      "The git repository to work on: a path (`~` and paths relative to the fleet file are understood) or a URL. On `modal` agents clone it by https: a path must have a remote.",
    example: "~/src/app",
    defaultInWords: "the stack's `changelings:repo`, else the git repository around the fleet file",
  }),
  branch: option(z._default(word(), "main"), {
    description: "The branch that each run starts from. It is never written to.",
    example: "develop",
  }),
  template: option(z.optional(word()), {
    description:
      "A `create_templates` entry of mngr's settings to start from. On `modal` your own settings count, not the repository's.",
    example: "my-template",
    defaultInWords: "none",
  }),
  initial_message: option(z.optional(word()), {
    description: "The first message to the agent, instead of the one of its template or stock changeling.",
    example: "Fix one FIXME and say which.",
    defaultInWords: "the stock changeling's prompt, else `/<agent_type>` where the type has that command",
  }),
  agent_args: option(z._default(z.array(text()), []), {
    description: "Arguments for the agent's program. For the agent type `command` they are the command.",
    example: ["--model", "opus"],
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
  snapshot_max_age: option(z.optional(z.string().check(z.regex(durationPattern))), {
    description: 'With `image = "snapshot"` alone: how old the snapshot may get before `pulumi up` makes a new one.',
    unit: "a number and one of s, m, h, d, w",
    example: "7d",
    defaultInWords: "it is never renewed",
  }),
  build_args: option(z._default(z.array(text()), []), {
    description:
      'On `modal` alone: arguments for building the agent\'s machine, each as `key=value`: `cpu`, `memory` (GB), `gpu`, `region`, `volume`, `cidr-allowlist`, `image`; with `image = "pinned"` or `"custom"` also `docker-build-arg` and `secret`, with `"custom"` `file` and `context-dir`. `mngr create --help` says what they are.',
    example: ["cpu=2", "memory=4"],
  }),
  verify: option(z._default(z.enum(["call", "none"]), "call"), {
    description:
      "On `modal` alone: how a deploy is verified beyond its being listed. `call`: a cheap call of its function says that the tools and secrets are there. `none`: not at all, which is faster.",
    example: "none",
  }),
  secrets: option(
    z._default(z.array(z.string().check(z.regex(secretNamePattern))), ["GITHUB_TOKEN", "ANTHROPIC_API_KEY"]),
    {
      description:
        "Names of environment variables whose values the agent gets. A list of your own replaces the default, and then all of it is required. `GITHUB_TOKEN` also reaches the agent as `GH_TOKEN`; on `modal` it is needed to clone, so the default requires it.",
      unit: "names of variables",
      example: ["GITHUB_TOKEN", "ANTHROPIC_API_KEY", "NPM_TOKEN"],
    },
  ),
  env: option(z._default(z.record(z.string().check(z.regex(variablePattern)), text()), {}), {
    description: "Environment variables of the agent that are no secrets.",
    example: { LOG_LEVEL: "debug" },
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
  renamed_from: option(z.optional(z.string().check(z.regex(namePattern))), {
    description: "Its former name: the old one is removed and this one made in one update.",
    example: "old-name",
    defaultInWords: "none",
  }),
} as const;

export type OptionKey = keyof typeof changelingOptions;

/** The options of one changeling, defaults filled in. */
export const optionsTable = z.strictObject(changelingOptions);

/** A changeling's options as the file names them, after defaults. */
export type Options = z.output<typeof optionsTable>;

const defaultsTable = z.omit(optionsTable, { renamed_from: true });

/** Keys of the file itself. */
export const fileOptions = {
  mngr_profile: option(z.optional(z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/))), {
    description:
      "The mngr profile whose settings the agents have. They are put aside: `MNGR_HOST_DIR=~/.mngr-<profile> mngr list` shows them.",
    example: "changelings",
    defaultInWords: "your own profile: the agents stand in your `mngr list`",
  }),
  timezone: option(z.optional(z.string()), {
    description: "The zone of every changeling that names none.",
    unit: "IANA time zone",
    example: "Europe/Berlin",
    defaultInWords: "the stack's `changelings:timezone`, else the zone of this machine (with `CI=true`: an error)",
  }),
  defaults: option(z.optional(defaultsTable), {
    description: "Options for all changelings. A changeling's own option replaces the one from here.",
    example: { repo: "~/src/app" },
    defaultInWords: "none",
  }),
  changelings: option(z.optional(z.record(z.string().check(z.regex(namePattern)), optionsTable)), {
    description:
      "One table for each changeling, named by it: a lower-case letter, then up to 39 letters, digits or `-`. A name alone is enough when it is an agent type.",
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

/** The documentation of an option; every option has one. */
export function docOf(schema: z.ZodMiniType): OptionDoc {
  const doc = optionDocs.get(schema);
  if (doc === undefined) throw new Error("an option without documentation");
  return doc;
}
