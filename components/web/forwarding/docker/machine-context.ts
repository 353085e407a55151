import { existsSync, readdirSync, statSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import { DockerError } from "../../../docker/run-docker.ts";
import { modalEnvironment } from "../../../modal/environment.ts";
import { personIdentity } from "../../../modal/identity.ts";

/** What a container needs from this machine to work like one of the user's own processes. Paths are absolute. */
export interface MachineContext {
  readonly person: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** mngr's host dir, and the separate ones of profiles and of stacks with their own identity. */
  readonly hostDirs: readonly string[];
  /** The folder of tmux's sockets, because local agents run in tmux. */
  readonly tmuxFolder: string;
  /** Settings files of Modal's clients. */
  readonly modalFiles: readonly string[];
  readonly dockerSocket: string;
  /** The group of the Docker socket. */
  readonly socketGid: number | undefined;
  /** Settings of mngr and Modal's clients from the user's environment; no secrets. */
  readonly settings: Readonly<Record<string, string>>;
}

/** @throws DockerError if Docker runs on another machine */
export function machineContext(env: NodeJS.ProcessEnv = process.env): MachineContext {
  const home = env["HOME"] || homedir();
  const { username, uid, gid } = userInfo();
  const socket = socketOf(env["DOCKER_HOST"] || usualHost);
  const { hostDir } = personIdentity(env);
  const modalFile = env["MODAL_CONFIG_PATH"] || join(home, ".modal.toml");
  return {
    ...{ person: username, uid, gid, home },
    hostDirs: [hostDir, ...separateHostDirs(hostDir)],
    tmuxFolder: env["TMUX_TMPDIR"] || "/tmp",
    modalFiles: existsSync(modalFile) ? [modalFile] : [],
    dockerSocket: socket,
    socketGid: statSync(socket, { throwIfNoEntry: false })?.gid,
    settings: settingsOf(env),
  };
}

/** The daemon's default socket. */
const usualHost = "unix:///var/run/docker.sock";

/** @throws DockerError if Docker runs on another machine, whose containers can't reach the agents here */
function socketOf(host: string): string {
  if (host.startsWith("unix:///")) return host.slice("unix://".length);
  throw new DockerError(
    `DOCKER_HOST is ${host}, but the forwarding server must run on this machine; unset it, or write provider = "local" in [forwarding]`,
  );
}

/** Separate host dirs are named after the user's own; see `profileHostDir` and `ensureMachineIdentity`. */
function separateHostDirs(hostDir: string): string[] {
  const folder = dirname(hostDir);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.startsWith(`${basename(hostDir)}-`))
    .map(({ name }) => join(folder, name))
    .sort();
}

const isSetting = (name: string) => /^(MNGR_|MODAL_|TMUX_TMPDIR$|TZ$)/.test(name);

function settingsOf(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(modalEnvironment(env)).filter(([name]) => isSetting(name));
  return Object.fromEntries([...kept, ...(env["DOCKER_HOST"] ? [["DOCKER_HOST", env["DOCKER_HOST"]]] : [])]);
}

/**
 * Whether Docker's containers have a different network and processes than this machine, and so can't reach agents here.
 *
 * @param info operating system and security options from `docker info`
 * @returns a description of that Docker; undefined if it is this machine's own
 */
export function foreignDocker(info: string, platform: NodeJS.Platform): string | undefined {
  if (platform !== "linux" || /docker desktop/i.test(info)) return "Docker Desktop";
  return /name=rootless/.test(info) ? "rootless Docker" : undefined;
}
