import { createHash } from "node:crypto";
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { allowedEnvironment } from "../../lib/environment.ts";
import { commandEnvironment } from "../../lib/own-commands.ts";
import { quickStart } from "../quick-start.ts";
import { componentsFolder, moduleExtension, programVersion } from "./program-version.ts";

/** A program of one installation that must keep running. All paths are absolute. */
export interface Daemon {
  readonly installation: string;
  /** For instance `scheduler`. Titles are unique within an installation. */
  readonly title: string;
  readonly home: string;
  /** The command line: the Node binary, its options, the program and its argument. */
  readonly command: readonly string[];
  /** The daemon's own folder, which contains its lock and `stderr.log`. */
  readonly folder: string;
  /** Where the daemon records its state; see `DaemonState`. */
  readonly stateFile: string;
  /** The version of the program on disk now. */
  readonly programVersion: string;
  readonly env: Readonly<Record<string, string>>;
  /** A file that exists once Node's compile cache, which `env` names, contains the program. */
  readonly compiledMarker: string;
}

export interface NodeDaemon {
  readonly installation: string;
  readonly title: string;
  readonly folder: string;
  readonly stateFile: string;
  readonly programVersion: string;
  /** The program's module in `components/`, without extension. It is called with the installation's id. */
  readonly main: string;
  /** Node's options, before the program. */
  readonly options: readonly string[];
  /**
   * The version of the program's code, and the folder of its compile cache where the environment names none of this
   * user's. By default, `programVersion` and `folder`.
   */
  readonly code?: { readonly version: string; readonly folder: string };
}

/**
 * V8's options for a program that is idle most of the time: a small heap, and no wake-up every 8 s to shrink it.
 * @param megabytes how large one half of the space for new objects may get
 */
export function idleOptions(megabytes: number): readonly string[] {
  return [`--max-semi-space-size=${megabytes}`, "--no-memory-reducer"];
}

/** @param env the daemon gets PATH, HOME and similar variables from it, and nothing else */
export function nodeDaemon(from: NodeDaemon, home: string = homedir(), env: NodeJS.ProcessEnv = process.env): Daemon {
  const program = join(componentsFolder, from.main + moduleExtension);
  const code = from.code ?? { version: from.programVersion, folder: from.folder };
  // Setup's is shared by all installations of this machine.
  const compileCache = ownFolder(env["NODE_COMPILE_CACHE"]) ?? join(code.folder, "compiled");
  // Node's cache has other entries for another Node, another user, and the same code at another path.
  const ownEntries = [process.version, process.arch, process.getuid?.(), program];
  const compiled = createHash("sha256").update(
    [...ownEntries, code.version, programVersion("lib/quick-imports")].join("\n"),
  );
  return {
    installation: from.installation,
    title: from.title,
    home,
    command: [process.execPath, ...quickStart, ...from.options, program, from.installation],
    folder: from.folder,
    stateFile: from.stateFile,
    programVersion: from.programVersion,
    env: {
      ...allowedEnvironment(env),
      ...commandEnvironment(env),
      ...(env["CHANGELINGS_CACHE"] ? { CHANGELINGS_CACHE: resolve(env["CHANGELINGS_CACHE"]) } : {}),
      HOME: home,
      NODE_COMPILE_CACHE: compileCache,
    },
    compiledMarker: join(compileCache, "daemons", compiled.digest("hex").slice(0, 16)),
  };
}

/** Node runs what its compile cache contains, so another user must not write to it, as to a folder in /tmp. */
function ownFolder(path: string | undefined): string | undefined {
  try {
    if (!path) return undefined;
    const folder = realpathSync(path);
    const { uid, mode } = statSync(folder);
    const isOwn = uid === process.getuid?.() && (mode & constants.S_IWOTH) === 0;
    accessSync(folder, constants.W_OK);
    return isOwn ? folder : undefined;
  } catch {
    return undefined; // missing, or on a read-only disk
  }
}
