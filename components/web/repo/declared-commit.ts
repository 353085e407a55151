import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { stockWebType } from "../../../changelings/stock-web.ts";
import { gitIn, isAncestor } from "../../git/git.ts";
import type { WebSpec } from "../agent/spec.ts";

/** The last declared commit. Pushes don't include this ref. */
export const declaredRef = "refs/changelings/declared";

/** What a declared commit is created from. Ids of 40 hexadecimal digits. */
export interface DeclaredFrom {
  /** The source's commit; undefined if there is no source. */
  readonly tip: string | undefined;
  /** The last declared commit, and its tree; undefined if there is none. */
  readonly last: string | undefined;
  readonly lastTree: string | undefined;
}

/**
 * Creates the commit with the declared content: the source's commit with the added paths on top, or, without a source,
 * the stock type's files and the create template. The agent's branch starts from it, and updates merge it. Each
 * declared commit has the previous one as its parent, so that the merge keeps the agent's changes.
 *
 * @param env what git may see, including the committer
 */
export async function declaredCommit(
  repo: string,
  spec: WebSpec,
  { tip, last, lastTree }: DeclaredFrom,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const git = gitIn(repo, env);
  const scratch = mkdtempSync(join(tmpdir(), "changelings-declared-"));
  try {
    const files = join(scratch, "files");
    mkdirSync(files);
    if (tip === undefined) stageFromScratch(files, spec.agentType ?? "");
    for (const { from, to } of spec.addPaths) stage(files, from, to);
    if (tip !== undefined && last === undefined && readdirSync(files).length === 0) return tip;
    const tree = await treeOf(repo, files, tip, { ...env, GIT_INDEX_FILE: join(scratch, "index") });
    if (last !== undefined && lastTree === tree && (tip === undefined || (await isAncestor(git, tip, last))))
      return last;
    const parents = [last, tip].flatMap((parent) => (parent === undefined ? [] : ["-p", parent]));
    const made = await git.run(["commit-tree", tree, ...parents, "-m", messageOf(spec, tip)]);
    await git.run(["update-ref", declaredRef, made.trim()]);
    return made.trim();
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The tip's tree, or an empty one, with the files on top. */
async function treeOf(
  repo: string,
  files: string,
  tip: string | undefined,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  await gitIn(repo, env).run(["read-tree", tip ?? "--empty"]);
  const over = gitIn(files, { ...env, GIT_DIR: join(repo, ".git"), GIT_WORK_TREE: files });
  // Declared files are added even if ignored. Files that are not declared stay as the source has them.
  await over.run(["add", "--force", "--ignore-removal", "--", "."]);
  return (await over.run(["write-tree"])).trim();
}

/** `type` may be one that only mngr or the user's settings define. */
function stageFromScratch(files: string, type: string): void {
  const stock = stockWebType(type);
  for (const { from, to } of stock?.copies ?? []) stage(files, from, to);
  mkdirSync(join(files, ".mngr"), { recursive: true });
  const template = `[create_templates.entrypoint]\ntype = ${JSON.stringify(type)}\n`;
  const settings = stock === undefined ? template : `${stock.agentTypes}\n${template}`;
  writeFileSync(join(files, ".mngr", "settings.toml"), settings);
}

function stage(files: string, from: string, to: string): void {
  if (!existsSync(from))
    throw new Error(`${from} (in add_paths) does not exist; correct the path, or remove it from the fleet file`);
  const target = join(files, to);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(from, target, { recursive: true, verbatimSymlinks: true, filter: (path) => basename(path) !== ".git" });
}

function messageOf({ name }: WebSpec, tip: string | undefined): string {
  return tip === undefined ? `Files of ${name}` : `Files that are added to ${tip.slice(0, 12)}`;
}
