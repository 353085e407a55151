import { gitCredentials } from "../../../git/credentials.ts";
import { type Git, gitIn, succeeds } from "../../../git/git.ts";
import { gitReason } from "../../../git/reason.ts";
import { safeGitEnvironment } from "../../../git/safe-git.ts";
import { runProgram, timedOut } from "../../../lib/process.ts";

/** The remote branch that a local branch is updated from. */
export interface Followed {
  readonly remote: string;
  /** Its name on the remote. */
  readonly branch: string;
  /** Its remote-tracking ref: `refs/remotes/origin/main`. */
  readonly ref: string;
}

/** The branch's upstream, otherwise the branch of that name on the remote `origin`; undefined if there is neither. */
export async function followedBy(git: Git, branch: string): Promise<Followed | undefined> {
  const format = "--format=%(upstream)%00%(upstream:remotename)%00%(upstream:remoteref)";
  const [ref = "", remote = "", there = ""] = (await git.run(["for-each-ref", format, `refs/heads/${branch}`]))
    .trim()
    .split("\0");
  if (ref.startsWith("refs/remotes/") && remote !== "" && there.startsWith("refs/heads/"))
    return { remote, branch: there.slice("refs/heads/".length), ref };
  const remotes = (await git.run(["remote"])).split("\n");
  return remotes.includes("origin") ? { remote: "origin", branch, ref: `refs/remotes/origin/${branch}` } : undefined;
}

/**
 * Fetches one branch. Never prompts, and changes nothing but its remote-tracking ref.
 *
 * @param token for GitHub; it is sent to github.com only
 * @returns why the fetch failed, in words; undefined if it succeeded
 */
export async function fetchBase(
  folder: string,
  { remote, branch, ref }: Followed,
  env: Readonly<Record<string, string>>,
  { token, timeoutSeconds }: { readonly token: string | undefined; readonly timeoutSeconds: number },
): Promise<string | undefined> {
  const git = gitIn(folder, env);
  // Only a token depends on where it would be sent.
  const url = token === undefined ? "" : await git.run(["remote", "get-url", remote]).catch(() => "");
  const quiet = { GIT_TERMINAL_PROMPT: "0", GIT_ASKPASS: "false", SSH_ASKPASS: "false", SSH_ASKPASS_REQUIRE: "force" };
  const options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"];
  const { code, stderr } = await runProgram(
    "git",
    ["-C", folder, "fetch", ...options, "--", remote, `+refs/heads/${branch}:${ref}`],
    {
      env: { ...safeGitEnvironment(env), LC_ALL: "C", ...quiet, ...gitCredentials(url.trim(), token) },
      timeoutSeconds,
    },
  );
  if (code === 0) return undefined;
  // A branch that was never pushed has no remote to be updated from.
  if (/couldn't find remote ref/i.test(stderr) && !(await succeeds(git, ["show-ref", "--verify", "--quiet", ref])))
    return undefined;
  const what = `${remote} could not be fetched, so its base may be outdated`;
  if (code === timedOut) return `${what}: it took longer than ${timeoutSeconds} s`;
  const line = gitReason(stderr) ?? `git ended with status ${code}`;
  return `${what}: ${line.replaceAll(/\/\/[^/@\s]*@/g, "//***@")}`;
}
