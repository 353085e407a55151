import { modelKeys } from "../fleet/secrets.ts";
import { isLoopback } from "../git/remote.ts";
import { durationSeconds } from "../lib/duration.ts";
import type { CronOptions, CronProvider } from "./options.ts";
import { normalSchedule } from "./schedule.ts";
import { ianaZone } from "./zone.ts";

/** Values from outside the fleet file that determine the defaults. */
export interface CronContext {
  readonly timezone: string;
  readonly repo: string;
  readonly remote: string | undefined;
  readonly isConversational: boolean;
  readonly secretsAreExplicit: boolean;
}

/** The declared changeling with every option resolved. */
export function resolvedCron(name: string, options: CronOptions, context: CronContext): DeclaredCron {
  return {
    name,
    kind: "cron",
    provider: options.provider,
    agentType: options.agent_type ?? name,
    isConversational: context.isConversational,
    schedule: normalSchedule(options.schedule),
    timezone: ianaZone(context.timezone) ?? context.timezone,
    branch: options.branch,
    enabled: options.enabled,
    secrets: [...new Set(options.secrets)],
    secretsAreExplicit: context.secretsAreExplicit,
    requiredSecrets: requiredSecrets(options, context),
    template: options.template,
    initialMessage: options.initial_message,
    buildArgs: options.build_args,
    agentArgs: options.agent_args,
    env: options.env,
    repo: context.repo,
    remote: context.remote,
    image: options.image,
    historyDepth: options.history_depth,
    allowUnpushed: options.allow_unpushed,
    snapshotMaxAge: options.snapshot_max_age === undefined ? undefined : durationSeconds(options.snapshot_max_age),
    verify: options.verify,
    timeoutSeconds: options.timeout_seconds,
    overlap: options.overlap,
    catchUp: options.catch_up,
    catchUpWithinSeconds: durationSeconds(options.catch_up_within),
    fetch: options.fetch,
    settleSeconds: options.settle_seconds,
    keepRuns: options.keep_runs,
    description: options.description,
    renamedFrom: options.renamed_from,
  };
}

/** How an agent on Modal gets the code (spec 000, "Building images"). */
export type ImageStrategy = "clone" | "snapshot" | "pinned" | "custom";

/** A `cron` changeling: its schedule fires, and a fresh agent works on a new branch and exits (spec 000). */
export interface DeclaredCron {
  /** Unique in the fleet; `^[a-z][a-z0-9-]{0,39}$`. */
  readonly name: string;
  readonly kind: "cron";
  readonly provider: CronProvider;
  /** A stock changeling's type, or any agent type that mngr knows. */
  readonly agentType: string;
  /** True for claude-based types: such agents never exit by themselves; they settle. */
  readonly isConversational: boolean;
  /** Five-field cron expression, read in `timezone`. */
  readonly schedule: string;
  /** IANA time zone, for instance `Europe/Berlin`. */
  readonly timezone: string;
  readonly branch: string;
  readonly enabled: boolean;
  /** Names of the environment variables that the agent receives as secrets. */
  readonly secrets: readonly string[];
  /** True if the file lists `secrets` itself. Then all of them are required. */
  readonly secretsAreExplicit: boolean;
  /** At least one secret of each group must be set. */
  readonly requiredSecrets: readonly (readonly string[])[];
  readonly template: string | undefined;
  readonly initialMessage: string | undefined;
  readonly buildArgs: readonly string[];
  readonly agentArgs: readonly string[];
  /** Plain, non-secret environment of the agent. */
  readonly env: Readonly<Record<string, string>>;
  /** An absolute path on this machine, or a git URL. */
  readonly repo: string;
  /** Modal only: where its agents clone from and push to. https, or http on loopback; without credentials. */
  readonly remote: string | undefined;
  readonly image: ImageStrategy;
  /** `pinned` only: how many commits of history the tarball contains. */
  readonly historyDepth: number;
  /** `pinned` only: whether the commit may be missing on the remote. */
  readonly allowUnpushed: boolean;
  /** `snapshot` only: the age in seconds after which an update makes a new one; undefined: never. */
  readonly snapshotMaxAge: number | undefined;
  /** Modal only: whether a deploy is verified by a cheap call of its function. */
  readonly verify: "call" | "none";
  readonly timeoutSeconds: number;
  readonly overlap: "skip" | "queue";
  /** Whether a due time that passed while the machine slept is fired once afterwards. */
  readonly catchUp: boolean;
  /** Local only: a due time is not fired later than this many seconds. */
  readonly catchUpWithinSeconds: number;
  /** Local only: whether the base branch is fetched before a run, for a repository declared by its path. */
  readonly fetch: boolean;
  /** How long a conversational agent must wait for input before its run counts as done. */
  readonly settleSeconds: number;
  /** How many ended runs keep their stopped agent for `mngr connect`. */
  readonly keepRuns: number;
  readonly description: string | undefined;
  readonly renamedFrom: string | undefined;
}

/** Every secret of an explicit list is required; of the default list, only those that the agent can't work without. */
function requiredSecrets({ secrets, provider }: CronOptions, context: CronContext): (readonly string[])[] {
  if (context.secretsAreExplicit) return [...new Set(secrets)].map((name) => [name]);
  // On this machine, git uses the user's own credentials.
  const clonesWithToken = provider === "modal" && (context.remote === undefined || !isLoopback(context.remote));
  return [...(clonesWithToken ? [["GITHUB_TOKEN"]] : []), ...(context.isConversational ? [modelKeys] : [])];
}
