import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { isMissing } from "../../host/files.ts";
import { runProgram } from "../../lib/process.ts";
import { SandboxError } from "../provider.ts";
import { confineTool } from "./confinement.ts";
import { abandoned, temporaryName } from "./paths.ts";

/**
 * Copies and removes the files of sandboxes. A program of the sandbox could replace a folder with a symlink at any time, so
 * both run in bubblewrap, where nothing else can be written to.
 *
 * @param bwrap undefined for sandboxes without isolation, whose programs can do whatever this process can
 */
export interface SandboxFiles {
  /** Copies `files` from one folder to another. */
  copy(from: string, to: string, signal?: AbortSignal): Promise<void>;
  /** Removes a folder with its `files`. Succeeds if it is already gone. */
  remove(folder: string): Promise<void>;
  /** Like `remove`, but renames the folder first, so that it disappears at once. @returns whether it existed */
  discard(folder: string, beforeRemoval?: (folder: string) => Promise<void>): Promise<boolean>;
  /** Removes folders that a process was creating or removing when it was killed. */
  sweep(parent: string): Promise<void>;
}

const copySeconds = 1800;

export function sandboxFiles(bwrap: string | undefined): SandboxFiles {
  const run = async (
    step: string,
    folders: Parameters<typeof confineTool>[0],
    script: string,
    signal?: AbortSignal,
  ) => {
    const argv =
      bwrap === undefined
        ? { program: "/bin/sh", args: [] }
        : { program: bwrap, args: [...confineTool(folders), "--", "/bin/sh"] };
    const paths = Object.entries(folders).map(([inside, { path }]) => (bwrap === undefined ? path : inside));
    const env = { PATH: "/usr/bin:/bin" };
    const options = { env, timeoutSeconds: copySeconds, signal };
    const end = await runProgram(argv.program, [...argv.args, "-c", script, "sh", ...paths], options);
    signal?.throwIfAborted();
    if (end.code !== 0) throw new SandboxError(step, end.stderr.trim().slice(-2000) || `ended with ${end.code}`);
  };
  const files: SandboxFiles = {
    copy: (from, to, signal) =>
      run(
        "copy",
        { "/from": { path: from, isWritable: false }, "/to": { path: to, isWritable: true } },
        'cp -a --reflink=auto "$1/files" "$2/files"',
        signal,
      ),
    async remove(folder) {
      if (existsSync(join(folder, "files"))) {
        const script = 'rm -rf "$1/files" 2>/dev/null || { chmod -R u+rwX "$1/files" 2>/dev/null; rm -rf "$1/files"; }';
        await run("remove", { "/folder": { path: folder, isWritable: true } }, script);
      }
      rmSync(folder, { recursive: true, force: true });
    },
    async discard(folder, beforeRemoval) {
      const gone = join(dirname(folder), temporaryName());
      try {
        renameSync(folder, gone);
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
      await beforeRemoval?.(gone);
      await files.remove(gone);
      return true;
    },
    async sweep(parent) {
      for (const folder of abandoned(parent)) await files.remove(folder);
    },
  };
  return files;
}
