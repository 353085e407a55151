import { modelKeys } from "../fleet/secrets.ts";
import { isLoopback } from "../git/remote.ts";
import { durationSeconds } from "../lib/duration.ts";
import type { CronOptions, CronProvider } from "./options.ts";
import { normalSchedule } from "./schedule.ts";
import { ianaZone } from "./zone.ts";

/** What an option's absence is decided by, outside the file's text. */
export interface DecidedCron {
  readonly timezone: string;
  readonly repo: string;
  readonly remote: string | undefined;
  readonly isConversational: boolean;
  readonly secretsAreExplicit: boolean;
}

/** The declared changeling, every option decided. */
export function resolvedCron(name: string, options: CronOptions, decided: DecidedCron): DeclaredCron {
  return {
    name,
    kind: "cron",
    provider: options.provider,
    agentType: options.agent_type ?? name,
    isConversational: decided.isConversational,
    schedule: normalSchedule(options.schedule),
    timezone: ianaZone(decided.timezone) ?? decided.timezone,
    branch: options.branch,
    enabled: options.enabled,
    secrets: [...new Set(options.secrets)],
    secretsAreExplicit: decided.secretsAreExplicit,
    requiredSecrets: requiredSecrets(options, decided),
    template: options.template,
    initialMessage: options.initial_message,
    buildArgs: options.build_args,
    agentArgs: options.agent_args,
    env: options.env,
    repo: decided.repo,
    remote: decided.remote,
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

/** How the code gets to an agent on Modal (spec 000, "Building images"). */
export type ImageStrategy = "clone" | "snapshot" | "pinned" | "custom";

/** A `cron` changeling: a schedule fires, a fresh agent works on a new branch and ends (spec 000). */
export interface DeclaredCron {
  /** Unique in the fleet; `^[a-z][a-z0-9-]{0,39}$`. */
  readonly name: string;
  readonly kind: "cron";
  readonly provider: CronProvider;
  /** A stock changeling's type, or any agent type that mngr knows. */
  readonly agentType: string;
  /** True for a claude-based type: its agents never end by themselves, they settle. */
  readonly isConversational: boolean;
  /** Five-field cron expression, read in `timezone`. */
  readonly schedule: string;
  /** IANA time zone, for instance `Europe/Berlin`. */
  readonly timezone: string;
  readonly branch: string;
  readonly enabled: boolean;
  /** Names of the environment variables whose values the agent gets as secrets. */
  readonly secrets: readonly string[];
  /** True when the file lists `secrets` itself: then all of them are required. */
  readonly secretsAreExplicit: boolean;
  /** Of each group at least one must be set. */
  readonly requiredSecrets: readonly (readonly string[])[];
  readonly template: string | undefined;
  readonly initialMessage: string | undefined;
  readonly buildArgs: readonly string[];
  readonly agentArgs: readonly string[];
  /** Plain, non-secret environment of the agent. */
  readonly env: Readonly<Record<string, string>>;
  /** An absolute path on this machine, or a git URL. */
  readonly repo: string;
  /** Modal alone: where its agents clone from and push to. https, on loopback also http; without credentials. */
  readonly remote: string | undefined;
  readonly image: ImageStrategy;
  /** `pinned` alone: how many commits of history the tarball holds. */
  readonly historyDepth: number;
  /** `pinned` alone: whether the commit may be one that the remote hasn't. */
  readonly allowUnpushed: boolean;
  /** `snapshot` alone: after how many seconds an update makes a new one; undefined: never. */
  readonly snapshotMaxAge: number | undefined;
  /** Modal alone: whether a deploy is verified by a cheap call of its function. */
  readonly verify: "call" | "none";
  readonly timeoutSeconds: number;
  readonly overlap: "skip" | "queue";
  /** Whether a schedule time that passed while the machine slept is made up for, once. */
  readonly catchUp: boolean;
  /** Local alone: a schedule time is not fired later than this many seconds. */
  readonly catchUpWithinSeconds: number;
  /** Local alone: whether the base branch of a repository that is declared by its path is fetched before a run. */
  readonly fetch: boolean;
  /** How long a conversational agent must have been waiting before its run counts as done. */
  readonly settleSeconds: number;
  /** How many ended runs keep their (stopped) agent for `mngr connect`. */
  readonly keepRuns: number;
  readonly description: string | undefined;
  readonly renamedFrom: string | undefined;
}

/** An own list is required whole; of the default's what an agent can't work without. */
function requiredSecrets({ secrets, provider }: CronOptions, decided: DecidedCron): (readonly string[])[] {
  if (decided.secretsAreExplicit) return [...new Set(secrets)].map((name) => [name]);
  // On this machine git has the person's own access.
  const clonesWithToken = provider === "modal" && (decided.remote === undefined || !isLoopback(decided.remote));
  return [...(clonesWithToken ? [["GITHUB_TOKEN"]] : []), ...(decided.isConversational ? [modelKeys] : [])];
}
