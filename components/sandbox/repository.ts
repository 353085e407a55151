import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gitIn as gitHere } from "../git/git.ts";
import { isRepoUrl } from "../git/repo-name.ts";
import { safeGitEnvironment } from "../git/safe-git.ts";
import { allowedEnvironment } from "../lib/environment.ts";
import { memoryLines } from "./image/memory-seed.ts";
import { SandboxError } from "./provider.ts";
import { gitName, memoryPath, repoPath, type SandboxSpec } from "./spec.ts";
import { gitIn, type Steps } from "./steps.ts";

/** In seconds. */
const cloneSeconds = 900;
/** A larger repository must be cloned from a URL. */
const mostBundleBytes = 256 * 2 ** 20;
/** The remote of a repository that is a path on this machine: a copy in the sandbox, so that fetch and push work. */
const originFolder = "/root/.origin";

/**
 * Git's credential helper for the clone, and for the agent's own fetches and pushes. The token is in the environment of
 * those that may use it, and nowhere else. It is sent to the repository's own host alone.
 */
const credentialHelper =
  '!f() { test "$1" = get && echo username=x-access-token && echo "password=$GITHUB_TOKEN"; }; f';

/** Programs that git must not start while it checks out a repository of unknown origin. */
const cloneEnvironment = { GIT_LFS_SKIP_SMUDGE: "1", GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_NOSYSTEM: "1" };

/** Where the work began: the last commit that the remote had in the beginning. */
const startRef = "refs/changelings/start";

/**
 * One program for all steps, because a round trip to a sandbox takes longer than most of them. The code that it exits
 * with says which one failed.
 */
const prepareScript = `repo=$1 source=$2 branch=$3 key=$4 helper=$5 has_bundle=$6 is_warm=$7 name=$8 email=$9 memory=\${10}
g() { git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c protocol.ext.allow=never "$@"; }
test -z "$key" || git config --global --replace-all "$key" "$helper" || exit 40
if test "$has_bundle" = yes; then
  { cat > /tmp/repository.bundle && { test -d "$source" || g init --quiet --bare --template= "$source"; } &&
    g -C "$source" fetch --quiet --force /tmp/repository.bundle "refs/heads/*:refs/heads/*" "refs/tags/*:refs/tags/*" &&
    rm /tmp/repository.bundle; } || exit 40
fi
if test "$is_warm" = yes; then
  { g -C "$repo" fetch --quiet --no-recurse-submodules --prune origin &&
    g -C "$repo" checkout --quiet -B "$branch" "refs/remotes/origin/$branch"; } || exit 44
else
  g clone --quiet --no-recurse-submodules --template= --branch "$branch" -- "$source" "$repo" || exit 40
fi
test -n "$name" || exit 0
g -C "$repo" update-ref ${startRef} HEAD || exit 41
git config --global user.name "$name" && git config --global user.email "$email" || exit 42
git config --global submodule.recurse false || exit 42
test ! -s "$memory" || exit 0
# Written beside the file and linked, so that of two sandboxes that start at once only one seeds the memory.
new="$memory.$$.new"; printf %s "$MEMORY_SEED" > "$new" || exit 43
ln "$new" "$memory" 2>/dev/null || test -s "$memory" || mv "$new" "$memory" || exit 43
rm -f "$new"`;
const stepOfCode: Readonly<Record<number, string>> = { 41: "clone", 42: "git", 43: "memory", 44: "update" };

export interface Preparation {
  readonly branch: string;
  /** For the repository's host. */
  readonly token: string | undefined;
  /** `clone` alone is for a warm snapshot; `update` starts from one. */
  readonly what: "clone" | "clone and set up" | "update and set up";
  /** The refs of the warm snapshot: the same ones are not sent again. */
  readonly known?: string | undefined;
}

export interface Prepared {
  /** Identifies the branches and tags that were sent; undefined for a repository that the sandbox clones from a URL. */
  readonly refs: string | undefined;
}

/**
 * Clones the repository to `/workspace/{repo}` with the branch checked out, or brings the one of a warm snapshot to the
 * branch's present tip. Then marks where the work begins, sets the agent's identity (the person's, with the suffix), and
 * gives the repository's memory its first content, once (spec 004).
 */
export async function prepareRepository(
  steps: Steps,
  spec: SandboxSpec,
  { branch, token, what, known }: Preparation,
): Promise<Prepared> {
  const isUrl = isRepoUrl(spec.url);
  const setsUp = what !== "clone";
  const refs = isUrl ? undefined : await refsOfLocal(spec.url);
  const isSent = refs !== undefined && (refs !== known || what !== "update and set up");
  const args = [
    ...[repoPath(spec), isUrl ? spec.url : `${originFolder}/${spec.repo}.git`, branch],
    ...[isUrl && token !== undefined ? `credential.${new URL(spec.url).origin}.helper` : "", credentialHelper],
    ...[isSent ? "yes" : "no", what === "update and set up" ? "yes" : "no"],
    ...(setsUp ? [gitName(spec), spec.userEmail] : ["", ""]),
    memoryPath,
  ];
  await steps.run((code) => stepOfCode[code] ?? "clone", ["sh", "-c", prepareScript, "sh", ...args], {
    timeoutSeconds: cloneSeconds,
    env: {
      ...cloneEnvironment,
      ...(token === undefined ? {} : { GITHUB_TOKEN: token }),
      ...(setsUp ? { MEMORY_SEED: memoryLines() } : {}),
    },
    ...(isSent ? { stdin: await bundleOfLocal(spec.url) } : {}),
  });
  return { refs };
}

/**
 * The branches and tags of a repository of this machine, as a hash. Read before the bundle is made: what changes in
 * between is sent, and once more the next time.
 */
async function refsOfLocal(path: string): Promise<string> {
  const format = "--format=%(objectname) %(refname)";
  const refs = await inLocal(path, ["for-each-ref", format, "refs/heads", "refs/tags"]);
  return createHash("sha256").update(refs).digest("hex");
}

/** A repository of this machine as a bundle: the sandbox sees none of this machine's files. */
async function bundleOfLocal(path: string): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), "changelings-bundle-"));
  const bundle = join(folder, "repository.bundle");
  try {
    await inLocal(path, ["bundle", "create", "--quiet", bundle, "--branches", "--tags"]);
    if (statSync(bundle).size > mostBundleBytes) {
      const reason = `${path} has over 256 MB of history; write its URL as repo, so that the sandbox clones it`;
      throw new SandboxError("clone", reason);
    }
    return readFileSync(bundle);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function inLocal(path: string, args: readonly string[]): Promise<string> {
  try {
    return await gitHere(path, allowedEnvironment(process.env)).run(args, "network");
  } catch (error) {
    throw new SandboxError("clone", error instanceof Error ? error.message : String(error));
  }
}

export async function currentBranch(steps: Steps, spec: SandboxSpec): Promise<string> {
  const { stdout } = await steps.run("branch", [...gitIn(spec), "branch", "--show-current"]);
  // A detached head has no branch.
  return stdout.trim() === "" ? "HEAD" : stdout.trim();
}

/**
 * Bash, because the exit code of git is that of a pipeline's first program. The index is a copy, so that the agent's own
 * is not changed. Nothing is asked of submodules but their commits: a `.gitmodules` that git rejects would hide all.
 */
const diffScript = `set -u; index=$(mktemp); trap 'rm -f "$index" "$index.lock"' EXIT
cp "$(git rev-parse --git-path index)" "$index"; export GIT_INDEX_FILE=$index
failed=$(git add --intent-to-add --all 2>&1) || printf 'New files may be missing here: %s\n' "$failed"
git diff --no-ext-diff --no-textconv --no-color --ignore-submodules=dirty ${startRef} | head -c "$1"
code=\${PIPESTATUS[0]}; test "$code" = 141 || exit "$code"`;

/** @param maxBytes the diff is cut above it, at a line's end */
export async function diffOf(steps: Steps, spec: SandboxSpec, maxBytes: number): Promise<string> {
  const { stdout } = await steps.run("diff", ["bash", "-c", diffScript, "bash", String(maxBytes)], {
    cwd: repoPath(spec),
    env: safeGitEnvironment({}),
  });
  if (Buffer.byteLength(stdout) < maxBytes) return stdout;
  return `${stdout.slice(0, stdout.lastIndexOf("\n"))}\n… (cut above ${maxBytes} bytes)\n`;
}

/** The commits since the start as a bundle, in base64; empty if there are none. */
export async function bundleOf(steps: Steps, spec: SandboxSpec): Promise<string> {
  const script = `set -e; test "$(git rev-list --count ${startRef}..HEAD)" != 0 || exit 0
git bundle create --quiet /tmp/work.bundle HEAD ^${startRef}; base64 -w0 /tmp/work.bundle; rm /tmp/work.bundle`;
  const { stdout } = await steps.run("bundle", ["sh", "-c", script], {
    cwd: repoPath(spec),
    env: safeGitEnvironment({}),
    timeoutSeconds: 300,
  });
  return stdout.trim();
}
