import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { commitOf, fallbackIdentity, type Git, gitIn } from "../../git/git.ts";
import { settingsFile } from "../../git/settings-file.ts";

/** The repository on an agent's volume does not have the layout that git creates. */
class NotAdopted extends Error {}

/**
 * Environment for git on this machine without the user's settings, so that none of their filters run on an agent's files.
 *
 * @param env other variables that git may see
 */
export function isolated(env: Readonly<Record<string, string>>): Record<string, string> {
  return { ...env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_ATTR_NOSYSTEM: "1" };
}

/** Creates an empty repository without the user's template and its hooks. */
export async function emptyRepo(repo: string, env: Readonly<Record<string, string>>): Promise<Git> {
  mkdirSync(repo);
  const git = gitIn(repo, isolated(env));
  await git.run(["init", "--quiet", "--template=", "--initial-branch=changelings-none"]);
  mkdirSync(join(repo, ".git", "info"), { recursive: true });
  return git;
}

export interface Adopted {
  /** HEAD, which is checked out; undefined if there are no commits. */
  readonly head: string | undefined;
  /** A commit of the uncommitted changes, in the form that `git stash apply` accepts; undefined if there are none. */
  readonly uncommitted: string | undefined;
}

/**
 * Creates a new repository from an agent's: its objects and refs. Nothing else is taken from its `.git`, because the
 * agent wrote it: settings, hooks and attributes can make git run programs, and links can make it read other
 * repositories on this machine. git never runs in the agent's own repository.
 *
 * @param taken a copy of the agent's folder, which is consumed
 * @param repo absolute path of the new repository, on the same file system
 * @param branch the branch to check out at the agent's HEAD
 * @throws NotAdopted
 */
export async function adoptRepo(
  taken: string,
  repo: string,
  { env, branch, name }: { env: Readonly<Record<string, string>>; branch: string; name: string },
): Promise<Adopted> {
  const from = join(taken, ".git");
  if (!isFolder(from)) throw new NotAdopted(`the .git of the agent of ${name} is not a folder of its repository`);
  const git = await emptyRepo(repo, env);
  const to = join(repo, ".git");
  moveObjects(join(from, "objects"), join(to, "objects"));
  const refs = refsOf(from);
  const head = headOf(from, refs, name);
  writeFileSync(join(to, "packed-refs"), [...refs].map(([ref, commit]) => `${commit} ${ref}\n`).join(""));
  const shallow = linesOf(join(from, "shallow")).filter((line) => /^[0-9a-f]{40}$/.test(line));
  if (shallow.length > 0) writeFileSync(join(to, "shallow"), `${shallow.join("\n")}\n`);
  if (head === undefined) return { head, uncommitted: undefined };
  if ((await commitOf(git, head)) === undefined)
    throw new NotAdopted(`the repository of ${name} lacks its commit ${head}`);
  writeFileSync(join(to, "HEAD"), `${head}\n`);
  const uncommitted = await uncommittedOf(taken, repo, { env: isolated(env), name });
  await git.run(["checkout", "--quiet", "--force", "-B", branch, head]);
  return { head, uncommitted };
}

/** The changes that `git stash` would keep. */
async function uncommittedOf(
  taken: string,
  repo: string,
  { env, name }: { env: Readonly<Record<string, string>>; name: string },
): Promise<string | undefined> {
  const to = join(repo, ".git");
  const from = join(taken, ".git");
  const git = gitIn(repo, env);
  await adoptFileSystem(git, join(from, "config"), join(to, "config"));
  if (isFile(join(from, "index"))) renameSync(join(from, "index"), join(to, "index"));
  // Nested repositories, including submodules: git would use their own settings in them.
  removeRepositories(taken);
  const overEnv = { ...env, GIT_DIR: to, GIT_WORK_TREE: taken };
  const over = gitIn(taken, overEnv);
  // This also refreshes the index with the files' times here; otherwise `stash` would fail on them.
  const status = () => over.run(["status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all"]);
  const changed = await status().catch(async () => {
    await over.run(["read-tree", "HEAD"]);
    return await status();
  });
  const stash = async () =>
    gitIn(taken, { ...overEnv, ...(await fallbackIdentity(git, name)) }).run(["stash", "create"]);
  const commit = changed === "" ? "" : (await stash()).trim();
  rmSync(join(to, "index"), { force: true });
  return commit === "" ? undefined : commit;
}

/**
 * The settings that must match the volume's file system. Otherwise, every file would show as changed.
 * @param from the agent's settings, of which only these are taken
 */
async function adoptFileSystem(git: Git, from: string, to: string): Promise<void> {
  if (!isFile(from)) return;
  const only = ["--file", from, "--no-includes", "--type=bool"];
  const listed = await git
    .run(["config", ...only, "-z", "--get-regexp", "^core\\.(filemode|symlinks)$"])
    .catch(() => "");
  const values = new Map(
    listed.split("\0").flatMap((each) => {
      const [, key, value] = /^core\.(filemode|symlinks)\n(true|false)$/.exec(each) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value] as const];
    }),
  );
  if (values.size > 0) appendFileSync(to, settingsFile([{ section: "core", values: Object.fromEntries(values) }]));
}

function removeRepositories(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (/^\.git$/i.test(entry.name)) rmSync(path, { recursive: true, force: true });
    else if (entry.isDirectory()) removeRepositories(path);
  }
}

/** Loose objects and packs, but not `info`, which can name other repositories' objects. */
function moveObjects(from: string, to: string): void {
  for (const folder of namesUnlessLink(from)) {
    const isLoose = /^[0-9a-f]{2}$/.test(folder);
    if (!(isLoose || folder === "pack")) continue;
    const isObject = isLoose ? /^[0-9a-f]{38}$/ : /^pack-[0-9a-f]{40}\.(pack|idx)$/;
    mkdirSync(join(to, folder), { recursive: true });
    for (const file of namesUnlessLink(join(from, folder))) {
      if (isObject.test(file) && isFile(join(from, folder, file)))
        renameSync(join(from, folder, file), join(to, folder, file));
    }
  }
}

/** Object ids of commits and tags by ref name, sorted. */
function refsOf(gitFolder: string): ReadonlyMap<string, string> {
  const refs = new Map<string, string>();
  for (const line of linesOf(join(gitFolder, "packed-refs"))) {
    const [, commit, ref] = /^([0-9a-f]{40}) (.+)$/.exec(line) ?? [];
    if (commit !== undefined && ref !== undefined) refs.set(ref, commit);
  }
  for (const ref of filesBelow(gitFolder, "refs")) {
    const [line = ""] = linesOf(join(gitFolder, ref));
    if (/^[0-9a-f]{40}$/.test(line)) refs.set(ref, line);
  }
  const usable = [...refs].filter(([ref]) => isRefName(ref) && !ref.startsWith("refs/replace/"));
  return new Map(usable.sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other))));
}

/**
 * @returns undefined if there are no commits
 * @throws NotAdopted if HEAD is stored in an unknown form
 */
function headOf(gitFolder: string, refs: ReadonlyMap<string, string>, name: string): string | undefined {
  const [line = ""] = linesOf(join(gitFolder, "HEAD"));
  if (/^[0-9a-f]{40}$/.test(line)) return line;
  const [, ref] = /^ref: (.+)$/.exec(line) ?? [];
  const isUnborn = ref !== undefined && isRefName(ref) && !linesOf(join(gitFolder, ref)).some((each) => each !== "");
  const hasLonger = linesOf(join(gitFolder, "packed-refs")).some((each) => /^[0-9a-f]{64} /.test(each));
  const commit = refs.get(ref ?? "");
  if (commit !== undefined || (isUnborn && !hasLonger)) return commit;
  throw new NotAdopted(
    `the repository of ${name} has an unsupported format (reftable, SHA-256); recreate it with git's defaults`,
  );
}

/** Whether git accepts it as a ref name (`git check-ref-format`). */
function isRefName(ref: string): boolean {
  if (!ref.startsWith("refs/") || /[\u0000- ~^:?*[\\\u007f]|\.\.|@\{|\/\/|[/.]$/.test(ref)) return false;
  return ref.split("/").every((part) => !part.startsWith(".") && !part.endsWith(".lock"));
}

function filesBelow(folder: string, path: string): string[] {
  return namesUnlessLink(join(folder, path)).flatMap((name) => {
    const at = `${path}/${name}`;
    if (isFolder(join(folder, at))) return filesBelow(folder, at);
    return isFile(join(folder, at)) ? [at] : [];
  });
}

/** Empty if it is not a folder, or a link to one. */
function namesUnlessLink(folder: string): string[] {
  return isFolder(folder) ? readdirSync(folder) : [];
}

/** Empty if the file does not exist or is a link. */
function linesOf(path: string): string[] {
  return isFile(path) ? readFileSync(path, "utf8").split("\n") : [];
}

/** Does not follow symbolic links. */
function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
