import { homedir } from "node:os";
import { join } from "node:path";
import { allowedEnvironment } from "../../lib/environment.ts";
import { commandEnvironment } from "../../lib/own-commands.ts";
import { componentsFolder, moduleExtension } from "./program-version.ts";

/** A program of one installation that is to be kept running. All paths are absolute. */
export interface Daemon {
  readonly installation: string;
  /** In words, for instance `scheduler`; there is one of each title per installation. */
  readonly title: string;
  readonly home: string;
  /** What starts it: the Node binary, its options, the program and its argument. */
  readonly command: readonly string[];
  /** Its own, with its lock; what it says on stderr goes to `stderr.log` there. */
  readonly folder: string;
  /** Where it says that it runs; see `DaemonState`. */
  readonly stateFile: string;
  /** Of the program that is here now. */
  readonly programVersion: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface NodeDaemon {
  readonly installation: string;
  readonly title: string;
  readonly folder: string;
  readonly stateFile: string;
  readonly programVersion: string;
  /** Module of `components/` that is its program, without extension. It is called with the installation's id. */
  readonly main: string;
  /** Of Node, in front of the program. */
  readonly options: readonly string[];
}

/** @param env its variables PATH, HOME and their like are the daemon's too, and nothing else of it */
export function nodeDaemon(from: NodeDaemon, home: string = homedir(), env: NodeJS.ProcessEnv = process.env): Daemon {
  const program = join(componentsFolder, from.main + moduleExtension);
  const compiled = join(from.folder, "compiled", from.programVersion);
  return {
    installation: from.installation,
    title: from.title,
    home,
    command: [process.execPath, ...from.options, program, from.installation],
    folder: from.folder,
    stateFile: from.stateFile,
    programVersion: from.programVersion,
    env: { ...allowedEnvironment(env), ...commandEnvironment(env), HOME: home, NODE_COMPILE_CACHE: compiled },
  };
}
