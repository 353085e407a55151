import type { NamedRepo } from "../../fleet/checks.ts";
import { type Diagnostic, error, warning } from "../../fleet/diagnostics.ts";
import type { Declaration } from "../../fleet/kind.ts";
import type { Environment } from "../../git/ask-git.ts";
import { commitsAhead, type Repository, type UsableRepository } from "../../git/refs.ts";
import { chosenRemote, type Problem, type Remote, remoteOfUrl } from "../../git/remote.ts";
import { isBranchName, isRepoUrl, urlProblem } from "../../git/repo-name.ts";
import { quoted } from "../../lib/shell-command.ts";
import type { CronOptions } from "../options.ts";

/** What the agents of a changeling on Modal clone, and any diagnostics. */
export interface Clone {
  readonly remote: string | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

const noClone: Clone = { remote: undefined, diagnostics: [] };

/**
 * @param known the observed repositories, the local ones with their remotes
 * @returns a function that resolves one changeling on Modal; each branch is compared with its remote only once
 */
export function cloneFinder(known: ReadonlyMap<string, Repository>, environment: Environment) {
  const lacks = new Map<string, Promise<string | undefined>>();

  return async ({ options, place }: Declaration<CronOptions>, named: NamedRepo): Promise<Clone> => {
    const { repo, source } = named;
    const { branch, image } = options;
    if (isRepoUrl(repo)) return urlProblem(repo) === undefined ? cloneFrom(remoteOfUrl(repo)) : noClone;
    const found = known.get(repo);
    if (found === undefined || "message" in found || !isBranchName(branch)) return noClone;
    const remote = chosenRemote(repo, found.remotes, found.refs.get(`refs/heads/${branch}`)?.followed ?? "");
    const clone = cloneFrom(remote);
    // `pinned` commits are checked when they are pinned.
    if ("message" in remote || image === "pinned") return clone;
    const key = JSON.stringify([repo, branch]);
    const lacking = lacks.get(key) ?? unpushed(repo, branch, found, remote.name ?? "", environment);
    lacks.set(key, lacking);
    const lack = await lacking;
    if (lack === undefined) return clone;
    const message = `${lack}, and agents on Modal clone it from there`;
    return {
      ...clone,
      diagnostics: [
        warning(
          place("branch"),
          message,
          `git -C ${quoted(repo)} push ${quoted(remote.name ?? "origin")} ${quoted(branch)}`,
        ),
      ],
    };

    function cloneFrom(from: Remote | Problem): Clone {
      if ("url" in from) return { remote: from.url, diagnostics: [] };
      // The file does not name the repository, so report the provider, which requires a remote.
      const path = named.path.length === 0 ? place("provider") : named.path;
      return { remote: undefined, diagnostics: [error(path, source + from.message, from.remedy)] };
    }
  };
}

/** How far the local branch is ahead of the remote, as of the last fetch; undefined if it is not. */
async function unpushed(
  repo: string,
  branch: string,
  { refs }: UsableRepository,
  remote: string,
  environment: Environment,
): Promise<string | undefined> {
  const ref = `refs/heads/${branch}`;
  const of = `refs/remotes/${remote}/${branch}`;
  const [local, pushed] = [refs.get(ref), refs.get(of)];
  if (local === undefined || local.commit === pushed?.commit) return undefined;
  if (pushed === undefined) return `the branch "${branch}" was never pushed to ${remote}`;
  const ahead = await commitsAhead(repo, { ref, of }, environment);
  if (ahead === undefined || ahead === 0) return undefined;
  return `the branch "${branch}" has ${ahead} ${ahead === 1 ? "commit" : "commits"} that ${remote} does not have`;
}
