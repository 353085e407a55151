import { homedir } from "node:os";
import { isConversational } from "./agent-types.ts";
import type { Changeling } from "./changeling.ts";
import { optionFindings, settleFindings } from "./checks.ts";
import { soundOptions } from "./declare.ts";
import { durationSeconds } from "./duration.ts";
import { error, type Finding, pathInWords } from "./fault.ts";
import { withoutSecrets } from "./literal-secrets.ts";
import { nameFinding } from "./names.ts";
import { changelingOptions, type Options, optionsTable } from "./options.ts";
import { remoteOfUrl } from "./remote.ts";
import { absoluteRepo, isRepoUrl, urlFault } from "./repo.ts";
import { normalSchedule } from "./schedule.ts";
import { ianaZone } from "./zone.ts";

/** What an option's absence is decided by, outside the file's text. */
export interface Decided {
  readonly timezone: string;
  readonly repo: string;
  readonly remote: string | undefined;
  readonly isConversational: boolean;
  readonly secretsAreExplicit: boolean;
}

/** The declared changeling, every option decided. */
export function resolved(name: string, options: Options, decided: Decided): Changeling {
  return {
    name,
    kind: options.kind,
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
    settleSeconds: options.settle_seconds,
    keepRuns: options.keep_runs,
    description: options.description,
    renamedFrom: options.renamed_from,
  };
}

/** Options of a changeling that is declared in a program. */
export type ChangelingOptions = Partial<Omit<Changeling, "name" | "kind" | "secretsAreExplicit" | "snapshotMaxAge">> & {
  /** An absolute path or a URL. */
  readonly repo: string;
  /** As in the fleet file (`"7d"`), or in seconds. */
  readonly snapshotMaxAge?: string | number | undefined;
};

/** The options of a changeling in a program are not valid. */
export class ChangelingOptionsError extends Error {
  /** The option as a program names it (`timeoutSeconds`), and what is wrong with what remedy. */
  readonly faults: readonly { readonly option: string; readonly reason: string }[];

  constructor(name: string, faults: ChangelingOptionsError["faults"]) {
    super(`changeling ${name}: ${faults.map(({ option, reason }) => `${option}: ${reason}`).join("; ")}`);
    this.name = "ChangelingOptionsError";
    this.faults = faults;
  }
}

const keys = Object.fromEntries(Object.keys(changelingOptions).map((key) => [camelCase(key), key]));

/**
 * A changeling from a program's options, with the same defaults and the same checks as from a fleet file. A schedule
 * that fires often is taken as meant; whether the repository and the agent type exist is not looked up.
 * @throws ChangelingOptionsError with all faults at once
 */
export function changelingOf(name: string, given: ChangelingOptions): Changeling {
  const table: Record<string, unknown> = { allow_frequent: true };
  for (const [option, value] of Object.entries(given)) {
    const key = keys[option];
    if (key !== undefined && value !== undefined) table[key] = value;
  }
  if (typeof given.snapshotMaxAge === "number") table["snapshot_max_age"] = `${given.snapshotMaxAge}s`;
  const found: Finding[] = [];
  const wrongName = nameFinding(name);
  if (wrongName !== undefined) found.push({ ...wrongName, path: ["name"] });
  const options = optionsTable.parse(soundOptions(table, [], found));
  const talks = given.isConversational ?? isConversational(options.agent_type ?? name);
  found.push(...optionFindings(options, (...path) => path));
  if (talks) found.push(...settleFindings(options, (...path) => path));
  const remote = options.provider === "modal" ? cloneUrl(given, found) : undefined;
  const errors = found.filter(({ severity }) => severity === "error");
  if (errors.length > 0) {
    const faults = errors.map(({ path: [option, ...rest], message, remedy }) => ({
      option: withoutSecrets(pathInWords([camelCase(String(option)), ...rest])),
      reason: withoutSecrets(`${message}; ${remedy}`),
    }));
    throw new ChangelingOptionsError(name, faults);
  }
  return resolved(name, options, {
    timezone: options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    repo: absoluteRepo(given.repo, { folder: process.cwd(), home: homedir() }),
    remote,
    isConversational: talks,
    secretsAreExplicit: given.secrets !== undefined,
  });
}

/** Where agents on Modal clone from; what keeps it from being told becomes a finding. */
function cloneUrl({ repo, remote }: ChangelingOptions, found: Finding[]): string | undefined {
  if (remote === undefined && !isRepoUrl(repo)) {
    const message = "agents on Modal clone the repository by https, and where this one has its remote is not looked up";
    found.push(error(["repo"], message, 'give remote: "https://…", or the URL as repo'));
    return undefined;
  }
  const clone = remoteOfUrl(remote ?? repo);
  if ("url" in clone) return clone.url;
  // What is wrong with a URL in itself was found before, where it is the repository's.
  if (remote !== undefined) found.push(error(["remote"], clone.message, clone.remedy));
  else if (urlFault(repo) === undefined) found.push(error(["repo"], clone.message, clone.remedy));
  return undefined;
}

function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
