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

/** What a tarball is made of. The same values make the same file. */
export interface Tarball {
  /** Absolute path or URL: where the commit is taken from. */
  readonly repo: string;
  /** 40 hexadecimal digits. */
  readonly commit: string;
  /** The branch that is checked out in it. */
  readonly branch: string;
  /** `origin` in it: an http(s) URL without credentials. */
  readonly origin: string;
  /** How many commits of history it holds. */
  readonly historyDepth: number;
}

export interface TarballOptions {
  /** Default: that of all downloads and builds, outside of any checkout. */
  readonly cacheFolder?: string | undefined;
  readonly environment?: NodeJS.ProcessEnv;
  /** For the host of `repo`, where that is a URL. */
  readonly token?: string | undefined;
}

const makeSeconds = 900;
const mostPerRepo = 10;
const mostBytes = 2 * 2 ** 30;

const script = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "scripts", "make_tar_of_repo.sh");

/** Read when the module is: a Command's script drops variables that its programs have no use for. */
const defaultCache = process.env["CHANGELINGS_CACHE"]
  ? resolve(process.env["CHANGELINGS_CACHE"])
  : join(process.env["XDG_CACHE_HOME"] || join(process.env["HOME"] || homedir(), ".cache"), "changelings");

/** Where the tarball is kept, whether it is there or not. */
export function tarballPath(tarball: Tarball, { cacheFolder = defaultCache }: TarballOptions = {}): string {
  const { commit, branch, origin, historyDepth } = tarball;
  // Another script may make other bytes.
  const identity = hash(JSON.stringify([commit, branch, origin, historyDepth]), readFileSync(script, "utf8"));
  const folder = join(cacheFolder, "tarballs", `${slugOf(origin)}-${hash(origin).slice(0, 8)}`);
  return join(folder, `${commit.slice(0, 12)}-${identity.slice(0, 12)}.tar.gz`);
}

/**
 * The tarball of a commit: made, or found in the cache. Of two that want it at the same time one makes it.
 *
 * @returns its absolute path
 * @throws when git can't give the commit
 */
export async function ensureTarball(tarball: Tarball, options: TarballOptions = {}): Promise<string> {
  const path = tarballPath(tarball, options);
  if (isThere(path)) return path;
  const folder = dirname(path);
  // Other people's code: nobody else looks into it.
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const waiting = { what: "making a tarball of this repository", waitSeconds: makeSeconds };
  return withLock(join(folder, "lock"), waiting, async () => {
    if (isThere(path)) return path;
    await make(tarball, path, options);
    prune(dirname(folder), path);
    return path;
  });
}

/** Looking at it makes it young, so that what is in use is not pruned. */
function isThere(path: string): boolean {
  if (!existsSync(path)) return false;
  utimesSync(path, new Date(), new Date());
  return true;
}

/** @returns the text of a file in it; undefined: there is none */
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
  const said = stderr.trim().split("\n").slice(-3).join("\n");
  throw new Error(`no tarball of ${shownRepo(repo)} at ${commit.slice(0, 12)} (exit status ${code}): ${said}`);
}

/** Keeps the newest of each repository, and of all as much as fits; and the one that was just made. */
function prune(folder: string, made: string): void {
  for (const name of readdirSync(dirname(made))) {
    // What was cut off while it was written: the lock says that nobody is writing now.
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
