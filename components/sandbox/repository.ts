import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gitIn as gitHere } from "../git/git.ts";
import { isBranchName, isRepoUrl } from "../git/repo-name.ts";
import { safeGitEnvironment } from "../git/safe-git.ts";
import { settingsFile } from "../git/settings-file.ts";
import { messageOf } from "../lib/as-error.ts";
import { allowedEnvironment } from "../lib/environment.ts";
import { memoryLines } from "./image/memory-seed.ts";
import { maxOutputCharacters, SandboxError } from "./provider.ts";
import { gitName, memoryPath, repoPath, type SandboxSpec } from "./spec.ts";
import { gitIn, type Steps } from "./steps.ts";

/** In seconds. */
const cloneSeconds = 900;
const longestBranch = 250;
/** A larger repository must be cloned from a URL. */
const mostBundleBytes = 256 * 2 ** 20;
/** The remote of a repository that is a path on this machine: a copy in the sandbox, so that fetch and push work. */
const originFolder = "/root/.origin";

/**
 * Git's credential helper for the clone, and for the agent's own fetches and pushes. The token is only in the environment of
 * these programs. Git sends it only to the repository's host.
 */
const credentialHelper =
  '!f() { test "$1" = get && echo username=x-access-token && echo "password=$GITHUB_TOKEN"; }; f';

/** Keeps git from starting other programs while it checks out an untrusted repository. */
const cloneEnvironment = { GIT_LFS_SKIP_SMUDGE: "1", GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_NOSYSTEM: "1" };

/** The commit of the remote's branch that the session started from. */
const startRef = "refs/changelings/start";

/**
 * One program for all steps, because a round trip to a sandbox takes longer than most of them. Its exit code says which step
 * failed. It prints `on` if the branch is checked out; a tag of that name is not.
 *
 * The files of a snapshot are copies with new times and inodes. Without trustctime and checkStat, git would read all of
 * them again to see whether they changed.
 */
const prepareScript = `repo=$1 source=$2 branch=$3 how=$4 has_bundle=$5 sets_up=$6 memory=$7
g() { git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c protocol.ext.allow=never -c maintenance.auto=false "$@"; }
printf %s "$SETTINGS" > "$HOME/.gitconfig" || exit 42
if test "$has_bundle" = yes; then
  { cat > /tmp/repository.bundle &&
    if test -d "$source"; then
      g -C "$source" fetch --quiet --force /tmp/repository.bundle "refs/heads/*:refs/heads/*" "refs/tags/*:refs/tags/*"
    else g clone --quiet --bare --template= -- /tmp/repository.bundle "$source"; fi && rm /tmp/repository.bundle; } || exit 40
fi
IFS= read -r head 2>/dev/null < "$repo/.git/HEAD"
case "$how" in
clone) g clone --quiet --no-recurse-submodules --template= --branch "$branch" -- "$source" "$repo" || exit 40;;
keep) test "$head" = "ref: refs/heads/$branch" || how=switch;;
update) { g -C "$repo" fetch --quiet --no-recurse-submodules --prune origin && how=switch; } || exit 44;;
esac
test "$how" != switch || g -c core.trustctime=false -c core.checkStat=minimal -C "$repo" \
  checkout --quiet -B "$branch" "refs/remotes/origin/$branch" || exit 44
{ test "$how" = keep && test -e "$repo/.git/${startRef}"; } || g -C "$repo" update-ref ${startRef} HEAD || exit 41
IFS= read -r head 2>/dev/null < "$repo/.git/HEAD"
test "$head" != "ref: refs/heads/$branch" || printf on
test "$sets_up" = yes && test ! -s "$memory" || exit 0
# Written to another file and linked, so that only one of two sandboxes that start at once seeds the memory.
new="$memory.$$.new"; printf %s "$MEMORY_SEED" > "$new" || exit 43
ln "$new" "$memory" 2>/dev/null || test -s "$memory" || mv "$new" "$memory" || exit 43
rm -f "$new"`;
const stepOfCode: Readonly<Record<number, string>> = { 41: "clone", 42: "git", 43: "memory", 44: "update" };

export interface Preparation {
  readonly branch: string;
  /** For the repository's host. */
  readonly token: string | undefined;
  /** `clone` makes a warm snapshot; `update and set up` starts from one. */
  readonly what: "clone" | "clone and set up" | "update and set up";
  /** From `readSource`. */
  readonly source: Promise<Source>;
}

/**
 * Clones the repository to `/workspace/{repo}` and checks out the branch, or updates the clone of a warm snapshot to the
 * branch's current tip. Then marks the start commit, sets the agent's git identity, and fills the repository's memory if it
 * is empty (spec 004).
 *
 * @returns the branch that is checked out; undefined if git has to be asked
 */
export async function prepareRepository(
  steps: Steps,
  spec: SandboxSpec,
  { branch, token, what, source }: Preparation,
): Promise<string | undefined> {
  const isUrl = isRepoUrl(spec.url);
  const { bundle } = await source;
  const update = isUrl || bundle !== undefined ? "update" : "keep";
  const args = [
    ...[repoPath(spec), isUrl ? spec.url : `${originFolder}/${spec.repo}.git`, branch],
    ...[what === "update and set up" ? update : "clone", bundle === undefined ? "no" : "yes"],
    ...[what === "clone" ? "no" : "yes", memoryPath],
  ];
  const { stdout } = await steps.run(
    (code) => stepOfCode[code] ?? "clone",
    ["sh", "-c", prepareScript, "sh", ...args],
    {
      timeoutSeconds: cloneSeconds,
      needsNetwork: isUrl,
      env: {
        ...cloneEnvironment,
        SETTINGS: gitSettings(spec, token),
        ...(token === undefined ? {} : { GITHUB_TOKEN: token }),
        ...(what === "clone" ? {} : { MEMORY_SEED: memoryLines() }),
      },
      ...(bundle === undefined ? {} : { stdin: bundle }),
    },
  );
  return stdout === "on" ? branch : undefined;
}

/** The agent's git identity, and the credential helper for the repository's host. */
function gitSettings(spec: SandboxSpec, token: string | undefined): string {
  return settingsFile([
    ...(isRepoUrl(spec.url) && token !== undefined
      ? [{ section: "credential", of: new URL(spec.url).origin, values: { helper: credentialHelper } }]
      : []),
    { section: "user", values: { name: gitName(spec), email: spec.userEmail } },
    { section: "submodule", values: { recurse: "false" } },
  ]);
}

/** A repository on this machine, to send to a sandbox. Empty for a repository that the sandbox clones from a URL. */
export interface Source {
  /** A hash of the branches and tags. */
  readonly refs?: string;
  /** undefined if the sandbox already has these refs. */
  readonly bundle?: Uint8Array;
}

/**
 * Starts to read the repository while the sandbox is created. Errors are thrown where the promise is awaited.
 *
 * @param known the refs of the warm snapshot
 */
export function readSource({ url }: SandboxSpec, known?: string): Promise<Source> {
  const source = isRepoUrl(url) ? Promise.resolve({}) : sourceOfPath(url, known);
  source.catch(() => {});
  return source;
}

async function sourceOfPath(path: string, known: string | undefined): Promise<Source> {
  const refs = await refsOfLocal(path);
  return refs === known ? { refs } : { refs, bundle: await bundleOfLocal(path) };
}

/**
 * A hash of the branches and tags. It is read before the bundle is made, so a change in between is sent twice rather than
 * not at all.
 */
async function refsOfLocal(path: string): Promise<string> {
  const format = "--format=%(objectname) %(refname)";
  const refs = await inLocal(path, ["for-each-ref", format, "refs/heads", "refs/tags"]);
  return createHash("sha256").update(refs).digest("hex");
}

/** Sent as a bundle, because a sandbox sees no files of this machine. */
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
    throw new SandboxError("clone", messageOf(error));
  }
}

/** @returns `HEAD` if no branch is checked out */
export async function currentBranch(steps: Steps, spec: SandboxSpec): Promise<string> {
  const argv = [...gitIn(spec), "branch", "--show-current"];
  const { stdout } = await steps.run("branch", argv, { needsNetwork: false });
  const branch = stdout.trim();
  // In a container the agent can replace git, which can then print anything.
  return isBranchName(branch) && branch.length <= longestBranch ? branch : "HEAD";
}

/**
 * Bash, for the exit code of git, the first program of the pipeline. Works on a copy of the index, so that the agent's is not
 * changed. Ignores changes inside submodules, because git fails on an invalid `.gitmodules`.
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
    needsNetwork: false,
    env: safeGitEnvironment({}),
    maxOutput: maxBytes + 1000,
  });
  if (Buffer.byteLength(stdout) < maxBytes) return stdout;
  return `${stdout.slice(0, stdout.lastIndexOf("\n"))}\n… (cut above ${maxBytes} bytes)\n`;
}

/** The commits since the start as a bundle, in base64; empty if there are none. */
export async function bundleOf(steps: Steps, spec: SandboxSpec): Promise<string> {
  // Without a file: several people may request it at the same time.
  const script = `set -eo pipefail; test "$(git rev-list --count ${startRef}..HEAD)" != 0 || exit 0
git bundle create --quiet - HEAD ^${startRef} | base64 -w0`;
  const { stdout } = await steps.run("bundle", ["bash", "-c", script], {
    cwd: repoPath(spec),
    needsNetwork: false,
    env: safeGitEnvironment({}),
    timeoutSeconds: 300,
    maxOutput: maxOutputCharacters,
  });
  return stdout.trim();
}
