import * as z from "zod/mini";
import { hostCredentials } from "../../../components/git/credentials.ts";
import { type Git, GitError, gitIn } from "../../../components/git/git.ts";
import { httpsRemote } from "../../../components/git/remote.ts";
import { shownRepo } from "../../../components/git/repo-name.ts";
import { allowedEnvironment } from "../../../components/lib/environment.ts";
import { printNote } from "../../../components/lib/terminal.ts";
import { HttpApi } from "../../stack/pipeline/http-api.ts";

export interface Publication {
  /** A repository with the branch. */
  readonly folder: string;
  readonly branch: string;
  /** Whether the remote's branch is replaced if it has other commits. */
  readonly force: boolean;
  /** For the remote's host. */
  readonly token: string | undefined;
  readonly pullRequest:
    | { readonly base: string; readonly title: string | undefined; readonly body: string }
    | undefined;
}

export interface Published {
  /** The remote, without credentials. */
  readonly pushed: string;
  /** The URL of the pull request. */
  readonly pullRequest?: string;
}

const created = z.object({ html_url: z.string() });

/**
 * Pushes an agent's branch to the remote `origin`, and optionally opens a pull request on GitHub.
 *
 * @throws with the remedy; before anything is pushed, if a pull request can't be opened
 */
export async function publish(publication: Publication): Promise<Published> {
  const { folder, branch, force, token, pullRequest } = publication;
  const own = gitIn(folder, allowedEnvironment(process.env));
  const remote = await pushUrl(own);
  if (remote === undefined)
    throw new Error(`${folder} has no remote origin; add it, or push the branch ${branch} yourself`);
  const repository = /^https:\/\/github\.com\/([^/]+\/[^/]+?)(?:\.git)?$/.exec(httpsRemote(remote) ?? "")?.[1];
  if (pullRequest !== undefined && repository === undefined)
    throw new Error(`the remote origin, ${shownRepo(remote)}, is not on GitHub; use --push`);
  if (pullRequest !== undefined && token === undefined)
    throw new Error("a pull request needs GITHUB_TOKEN: export it, and run this again");
  const files = await workflowsIn(own, branch);
  if (files.length > 0) printNote(`warning: the commits change ${files.join(", ")}, which GitHub runs\n`);
  const git = gitIn(folder, { ...allowedEnvironment(process.env), ...hostCredentials(remote, token) });
  const refspec = `${force ? "+" : ""}refs/heads/${branch}:refs/heads/${branch}`;
  // The hooks of a person's clone are meant for the person's own work.
  await git.run(["push", "--quiet", "--no-verify", "origin", refspec], "network").catch((error: unknown) => {
    const isBehind = error instanceof GitError && /\[rejected\]|non-fast-forward|fetch first/.test(error.stderr);
    if (!isBehind) throw error;
    throw new Error(`the branch ${branch} of ${shownRepo(remote)} has other commits; replace them with --force`);
  });
  const pushed = shownRepo(remote);
  if (pullRequest === undefined || repository === undefined) return { pushed };
  const api = new HttpApi(process.env["GITHUB_API_URL"] ?? "https://api.github.com", {
    authorization: `Bearer ${token}`,
    accept: "application/vnd.github+json",
    "x-github-api-version": "2022-11-28",
  });
  const subject = (await own.run(["log", "-1", "--format=%s", branch])).trim();
  const { base, body } = pullRequest;
  const title = (pullRequest.title ?? subject).slice(0, 250);
  const answer = await api.send("POST", `/repos/${repository}/pulls`, { title, head: branch, base, body });
  return { pushed, pullRequest: created.parse(answer.body).html_url };
}

/**
 * The workflows that the branch's commits change, except for the commits that the remote already has. An earlier pull may
 * have fetched some of the commits; and a merge can change files too.
 */
async function workflowsIn(git: Git, branch: string): Promise<string[]> {
  const commits = ["-m", "--format=", "--name-only", `refs/heads/${branch}`, "--not", "--remotes=origin"];
  const listed = await git.run(["log", ...commits, "--", ".github/workflows"]);
  return [...new Set(listed.split("\n").filter((line) => line !== ""))].sort();
}

/** The remote's URL as it is configured, before git applies `insteadOf`. */
async function pushUrl(git: Git): Promise<string | undefined> {
  for (const key of ["remote.origin.pushurl", "remote.origin.url"]) {
    const url = (await git.run(["config", "--get", key]).catch(() => "")).trim();
    if (url !== "") return url;
  }
  return undefined;
}
