import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import * as z from "zod/mini";
import { readJsonOrNull } from "../../../components/host/files.ts";
import { componentsFolder } from "../../../components/host/supervision/program-version.ts";
import type { Sources, Submission } from "../../../components/seed-agent/program/domain.ts";

/** The version that a folder was checked out from. */
const checkedOut = z.object({ agent: z.string(), version: z.string() });
export type CheckedOut = z.output<typeof checkedOut>;

const recordFile = ".seed.json";
/** Files of a checkout that are for editors. */
const editorFiles: ReadonlySet<string> = new Set(["seed.d.ts", "tsconfig.json"]);
/** The agent chooses these paths, so they must not lead out of the folder. */
const sourcePath = /^(?!.*(^|\/)\.)[\w.-]+(\/[\w.-]+)*\.ts$/;

const maxFileBytes = 1_000_000;

const tsconfig = {
  compilerOptions: {
    ...{ target: "es2024", lib: ["es2024"], module: "nodenext", moduleResolution: "nodenext", types: [] },
    ...{ strict: true, noEmit: true, allowImportingTsExtensions: true, verbatimModuleSyntax: true, skipLibCheck: true },
  },
};

/** @returns undefined if the folder was not made by `checkout` */
export function readCheckedOut(folder: string): CheckedOut | undefined {
  return checkedOut.safeParse(readJsonOrNull(join(folder, recordFile))).data;
}

/** Writes a version's sources, with the files that an editor needs. @throws before any change, if a path is not safe */
export function writeSources(folder: string, sources: Sources, from: CheckedOut): void {
  const wrong = Object.keys(sources).find((path) => !sourcePath.test(path) || editorFiles.has(path));
  if (wrong !== undefined)
    throw new Error(`${from.version} has a file that can't be written: ${JSON.stringify(wrong)}`);
  mkdirSync(folder, { recursive: true });
  for (const [path, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const types = readFileSync(join(componentsFolder, "seed-agent/program/seed.d.ts"), "utf8");
  writeFileSync(join(folder, "seed.d.ts"), types);
  writeFileSync(join(folder, "tsconfig.json"), `${JSON.stringify(tsconfig, null, 2)}\n`);
  // Without it, the folder would be a CommonJS package.
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ private: true, type: "module" }, null, 2)}\n`);
  writeFileSync(join(folder, recordFile), `${JSON.stringify(from)}\n`);
}

/** Whether a checkout into the folder overwrites nothing. */
export function isEmptyFolder(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch {
    return true;
  }
}

/**
 * The TypeScript files in and below a folder, except hidden ones, `node_modules` and files for editors.
 * @throws for a symlink or a file that is too large
 */
export function readSources(folder: string): Sources {
  const sources: Record<string, string> = {};
  const walk = (at: string) => {
    for (const name of readdirSync(at).sort()) {
      const path = join(at, name);
      const shown = relative(folder, path).split(sep).join("/");
      if (name.startsWith(".") || name === "node_modules" || editorFiles.has(shown)) continue;
      const found = lstatSync(path);
      if (found.isSymbolicLink()) throw new Error(`${path} is a symbolic link; replace it with a file`);
      if (found.isDirectory()) walk(path);
      else if (found.isFile() && name.endsWith(".ts")) {
        if (found.size > maxFileBytes) throw new Error(`${path} is larger than ${maxFileBytes} bytes`);
        sources[shown] = readFileSync(path, "utf8");
      }
    }
  };
  walk(folder);
  if (Object.keys(sources).length === 0) throw new Error(`there is no TypeScript file in ${folder}`);
  return sources;
}

/** The files of a change from one version's sources to others. */
export function changedFiles(before: Sources, after: Sources): Submission["files"] {
  const files: Submission["files"] = {};
  for (const path of new Set([...Object.keys(before), ...Object.keys(after)]))
    if (before[path] !== after[path]) files[path] = after[path] ?? null;
  return files;
}
