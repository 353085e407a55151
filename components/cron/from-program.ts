import { homedir } from "node:os";
import { isConversational } from "../fleet/agents.ts";
import { type Diagnostic, error } from "../fleet/diagnostics.ts";
import { here, readOptions, rejectInvalid } from "../fleet/program-options.ts";
import { dependsOnInvalid } from "../fleet/valid-options.ts";
import { remoteOfUrl } from "../git/remote.ts";
import { absoluteRepo, isRepoUrl, urlProblem } from "../git/repo-name.ts";
import { cronDiagnostics, settleDiagnostics } from "./checks.ts";
import { type DeclaredCron, resolvedCron } from "./declared.ts";
import { cronTable } from "./options.ts";

/** Options of a changeling declared in a Pulumi program. */
export type ChangelingOptions = Partial<
  Omit<DeclaredCron, "name" | "kind" | "secretsAreExplicit" | "requiredSecrets" | "snapshotMaxAge">
> & {
  /** An absolute path or a URL. */
  readonly repo: string;
  /** As in the fleet file (`"7d"`), or in seconds. */
  readonly snapshotMaxAge?: string | number | undefined;
};

/**
 * Resolves a cron changeling from a program's options, with the same defaults and checks as a fleet file. A schedule
 * that fires often is accepted as intended. Whether the repository and the agent type exist is not checked.
 * @throws ChangelingOptionsError that reports all errors together
 */
export function changelingOf(name: string, given: ChangelingOptions): DeclaredCron {
  const { snapshotMaxAge: age } = given;
  const snapshotMaxAge = typeof age === "number" ? `${age}s` : age;
  const { options, found, invalid } = readOptions(name, { ...given, snapshotMaxAge, allowFrequent: true }, cronTable);
  const talks = given.isConversational ?? isConversational(options.agent_type ?? name);
  const more = [...cronDiagnostics(options, here), ...(talks ? settleDiagnostics(options, here) : [])];
  found.push(...more.filter((each) => !dependsOnInvalid(each, each.path[0], invalid)));
  const remote = options.provider === "modal" ? cloneUrl(given, found) : undefined;
  rejectInvalid(`changeling ${name}`, found);
  return resolvedCron(name, options, {
    timezone: options.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    repo: absoluteRepo(given.repo, { folder: process.cwd(), home: homedir() }),
    remote,
    isConversational: talks,
    secretsAreExplicit: given.secrets !== undefined,
  });
}

/** The URL that agents on Modal clone. Adds a diagnostic if it is unknown. */
function cloneUrl({ repo, remote }: ChangelingOptions, found: Diagnostic[]): string | undefined {
  if (remote === undefined && !isRepoUrl(repo)) {
    const message =
      "agents on Modal clone the repository by https, and a program's options don't say where its remote is";
    found.push(error(["repo"], message, 'add remote: "https://…", or pass the URL as repo'));
    return undefined;
  }
  const clone = remoteOfUrl(remote ?? repo);
  if ("url" in clone) return clone.url;
  // An invalid URL in `repo` is already reported.
  if (remote !== undefined) found.push(error(["remote"], clone.message, clone.remedy));
  else if (urlProblem(repo) === undefined) found.push(error(["repo"], clone.message, clone.remedy));
  return undefined;
}
