import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { isRepoUrl } from "../../../components/git/repo-name.ts";
import { portablePath } from "../../../components/lib/portable-path.ts";

/** The options of `deploy`. */
export interface DeployOptions {
  /** git URL or path. */
  readonly source?: string | undefined;
  readonly agentType?: string | undefined;
  readonly name?: string | undefined;
  readonly provider?: string | undefined;
  readonly branch?: string | undefined;
  /** `SRC:DEST` each. */
  readonly addPath?: readonly string[] | undefined;
}

export interface Folders {
  /** The base of a command line's relative paths. */
  readonly cwd: string;
  readonly home: string;
}

/** The table of a web changeling, as written to a fleet file. */
export type DeclaredTable = Readonly<Record<string, string | readonly string[]>>;

/** @throws if one of its paths does not exist */
export function declaredTable(options: DeployOptions, folders: Folders): DeclaredTable {
  const { source, agentType, branch, provider, addPath = [] } = options;
  return Object.fromEntries(
    Object.entries({
      kind: "web",
      source: source === undefined ? undefined : sourceAsWritten(source, folders),
      agent_type: agentType,
      branch,
      provider,
      add_paths: addPath.length === 0 ? undefined : addPath.map((each) => addPathAsWritten(each, folders)),
    }).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

function sourceAsWritten(source: string, folders: Folders): string {
  if (isRepoUrl(source)) return source;
  const path = onThisMachine(source, folders);
  if (existsSync(path)) return written(path, folders);
  throw new Error(
    `${source} is neither a git URL nor a folder that exists; write https://… or a path of a git repository`,
  );
}

/** `SRC:DEST` with SRC as in the fleet file: absolute, or `~/…` below home. */
export function addPathAsWritten(text: string, folders: Folders): string {
  const colon = text.lastIndexOf(":");
  const [from, to] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
  if (from === "" || to === "") {
    throw new Error(
      `--add-path ${text}: write SRC:DEST, a path on this machine and its destination in the repo, such as notes.md:docs/notes.md`,
    );
  }
  const path = onThisMachine(from, folders);
  if (!existsSync(path)) throw new Error(`--add-path ${text}: ${path} does not exist`);
  return `${written(path, folders)}:${to}`;
}

function onThisMachine(path: string, { cwd, home }: Folders): string {
  // A shell does not expand a quoted `~`.
  return path === "~" || path.startsWith("~/") ? resolve(home, path.slice(2)) : resolve(cwd, path);
}

/** Never returns a relative path, because a fleet file's relative paths start at its own folder. */
function written(path: string, { home }: Folders): string {
  // This project folder does not exist, so no path is below it.
  return portablePath(path, { project: "/dev/null", home });
}

/**
 * The default name of a changeling: the last part of its source, otherwise its agent type.
 * @returns undefined if neither contains a name
 */
export function nameOf({ source, agentType }: DeployOptions): string | undefined {
  const path = source?.replace(/[?#].*$/, "").replace(/\/+$/, "");
  const last = path === undefined ? agentType : basename(path.replace(/^.*:/, "")).replace(/\.git$/, "");
  const name = (last ?? "")
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return name === "" ? undefined : name;
}

/** An unused name: the wanted one, with the first free number if necessary. */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  for (let number = 2; ; number += 1) {
    const suffix = `-${number}`;
    const name = `${wanted.slice(0, 40 - suffix.length)}${suffix}`;
    if (!taken.has(name)) return name;
  }
}
