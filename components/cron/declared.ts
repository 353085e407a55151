import type { DeclaredCron } from "../fleet/changeling.ts";
import type { CronOptions } from "../fleet/options.ts";
import { durationSeconds } from "../lib/duration.ts";
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
