import { readdirSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { type MachineProvider, parseBuildArgs } from "../../fleet/build-args.ts";
import { codeOf } from "../../host/files.ts";

/**
 * Makes the repository's paths in build arguments absolute, so that the client can run in any folder. Files read from
 * the repository go into an image, and the agent may have committed symbolic links: one that leads out of the
 * repository would give the agent files of this machine.
 *
 * @param repo absolute path of a local repository that nobody is working in
 * @throws if a Dockerfile, a build context or a file in it leads out of the repository
 */
export function buildArgsInside(buildArgs: readonly string[], repo: string, provider: MachineProvider): string[] {
  const { args } = parseBuildArgs(buildArgs, provider);
  const last = (wanted: string) => args.findLast(({ key }) => key === wanted)?.value;
  const file = last("file");
  const context = last("context-dir") ?? (file === undefined ? undefined : dirname(file));
  const isBuilt = context !== undefined || args.some(({ key }) => key === "docker-build-arg");
  if (file !== undefined && isOfRepo(file)) refuseOutside(repo, resolve(repo, file), `file=${file}`);
  if (isBuilt && isOfRepo(context ?? ".")) refuseLinksOut(repo, resolve(repo, context ?? "."));
  return args.map(({ key, value }) => {
    if (value === "") return key;
    return quoted(`${key}=${isPath(key) && isOfRepo(value) ? resolve(repo, value) : value}`);
  });
}

function isPath(key: string): boolean {
  return key === "file" || key === "context-dir";
}

/** Other paths are chosen by the user. */
function isOfRepo(path: string): boolean {
  return !isAbsolute(path) && !path.startsWith("~");
}

function refuseLinksOut(repo: string, folder: string): void {
  refuseOutside(repo, folder, relative(repo, folder) || ".");
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  // Not `recursive`, which follows links to folders.
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) refuseOutside(repo, path, relative(repo, path));
    else if (entry.isDirectory()) refuseLinksOut(repo, path);
  }
}

function refuseOutside(repo: string, path: string, what: string): void {
  const target = realPathIfAny(path);
  if (target === undefined) return;
  const within = relative(realpathSync(repo), target);
  if (within !== ".." && !within.startsWith("../") && !isAbsolute(within)) return;
  throw new Error(
    `${JSON.stringify(what)} of the agent's repository points outside of it, to ${target}, and would become part of its image; ` +
      "remove that symbolic link there and commit",
  );
}

/** A dangling link is never read. */
function realPathIfAny(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if (["ENOENT", "ELOOP", "ENOTDIR"].includes(codeOf(error))) return undefined;
    throw error;
  }
}

/** Quotes a word for clients that split arguments as a shell does. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
