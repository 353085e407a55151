import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { hostCredentials } from "../git/credentials.ts";
import { shownRepo, slugOf } from "../git/repo-name.ts";
import { withLock } from "../host/lock.ts";
import { allowedEnvironment } from "../lib/environment.ts";
import { runProgram } from "../lib/process.ts";

/** The inputs of a tarball. The same inputs produce the same file. */
export interface Tarball {
  /** Absolute path or URL of the repository that contains the commit. */
  readonly repo: string;
  /** 40 hexadecimal digits. */
  readonly commit: string;
  /** The branch that the tarball has checked out. */
  readonly branch: string;
  /** The tarball's `origin`: an http(s) URL without credentials. */
  readonly origin: string;
  /** How many commits of history it contains. */
  readonly historyDepth: number;
}

export interface TarballOptions {
  /** By default the cache of all downloads and builds, outside of any checkout. */
  readonly cacheFolder?: string | undefined;
  readonly environment?: NodeJS.ProcessEnv;
  /** For the host of `repo`, if that is a URL. */
  readonly token?: string | undefined;
}

const makeSeconds = 900;
const mostPerRepo = 10;
const mostBytes = 2 * 2 ** 30;

const script = fileURLToPath(new URL("make_tar_of_repo.sh", import.meta.url));

/** Read at import time, because a Command's script later drops variables that its programs don't need. */
const defaultCache = process.env["CHANGELINGS_CACHE"]
  ? resolve(process.env["CHANGELINGS_CACHE"])
  : join(process.env["XDG_CACHE_HOME"] || join(process.env["HOME"] || homedir(), ".cache"), "changelings");

/** The tarball's path, whether it exists or not. */
export function tarballPath(tarball: Tarball, { cacheFolder = defaultCache }: TarballOptions = {}): string {
  const { commit, branch, origin, historyDepth } = tarball;
  // Another version of the script may produce other bytes.
  const identity = hash(JSON.stringify([commit, branch, origin, historyDepth]), readFileSync(script, "utf8"));
  const folder = join(cacheFolder, "tarballs", `${slugOf(origin)}-${hash(origin).slice(0, 8)}`);
  return join(folder, `${commit.slice(0, 12)}-${identity.slice(0, 12)}.tar.gz`);
}

/**
 * Returns the tarball of a commit, from the cache if possible. Concurrent callers create it only once.
 *
 * @returns its absolute path
 * @throws if git can't provide the commit
 */
export async function ensureTarball(tarball: Tarball, options: TarballOptions = {}): Promise<string> {
  const path = tarballPath(tarball, options);
  if (isThere(path)) return path;
  const folder = dirname(path);
  // The tarballs contain private code, so only their owner may read them.
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const waiting = { what: "making a tarball of this repository", waitSeconds: makeSeconds };
  return withLock(join(folder, "lock"), waiting, async () => {
    if (isThere(path)) return path;
    await make(tarball, path, options);
    prune(dirname(folder), path);
    return path;
  });
}

/** Updates its timestamp, so that a tarball in use is not pruned. */
function isThere(path: string): boolean {
  if (!existsSync(path)) return false;
  utimesSync(path, new Date(), new Date());
  return true;
}

/** @returns the text of a file in the tarball; undefined if there is none */
export async function fileInTarball(path: string, file: string): Promise<string | undefined> {
  const how = { env: allowedEnvironment(process.env), timeoutSeconds: makeSeconds };
  const { code, stdout } = await runProgram("tar", ["-xzOf", path, file], how);
  return code === 0 ? stdout : undefined;
}

async function make(tarball: Tarball, path: string, options: TarballOptions): Promise<void> {
  const { repo, commit, branch, origin, historyDepth } = tarball;
  const { code, stderr } = await runProgram(script, [repo, commit, path], {
    env: {
      ...allowedEnvironment(options.environment ?? process.env),
      ...hostCredentials(repo, options.token),
      SSH_ASKPASS: "false",
      SSH_ASKPASS_REQUIRE: "force",
      BRANCH: branch,
      HISTORY_DEPTH: String(historyDepth),
      ORIGIN: origin,
    },
    timeoutSeconds: makeSeconds,
  });
  if (code === 0) return;
  const tail = stderr.trim().split("\n").slice(-3).join("\n");
  throw new Error(`no tarball of ${shownRepo(repo)} at ${commit.slice(0, 12)} (exit status ${code}): ${tail}`);
}

/** Keeps the newest tarball of each repository, as many others as fit, and the one that was just created. */
function prune(folder: string, made: string): void {
  for (const name of readdirSync(dirname(made))) {
    // A leftover of an interrupted write: the lock guarantees that nobody is writing now.
    if (/\.tar\.gz\.\d+$/.test(name)) rmSync(join(dirname(made), name), { force: true });
  }
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".tar.gz"))
    .map((name) => join(folder, name))
    .flatMap((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined
        ? []
        : [{ path, bytes: stat.size, at: path === made ? Number.POSITIVE_INFINITY : stat.mtimeMs }];
    })
    .sort((a, b) => b.at - a.at);
  const kept = new Map<string, number>();
  let bytes = 0;
  for (const file of files) {
    const count = kept.get(dirname(file.path)) ?? 0;
    bytes += file.bytes;
    if (file.path !== made && (count >= mostPerRepo || bytes > mostBytes)) rmSync(file.path, { force: true });
    else kept.set(dirname(file.path), count + 1);
  }
}

function hash(...texts: string[]): string {
  return createHash("sha256").update(texts.join("\0")).digest("hex");
}
