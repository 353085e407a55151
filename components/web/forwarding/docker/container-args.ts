import { join } from "node:path";
import type { ForwardingEnvironment } from "../forwarding-environment.ts";
import type { MachineContext } from "./machine-context.ts";
import { containerName, stateFolder, volumeName } from "./names.ts";

/** Arguments of the forwarding server's `docker.Container`. Docker only keeps it running; it does not isolate it. */
export interface ContainerArgs {
  readonly name: string;
  readonly image: string;
  readonly restart: "unless-stopped";
  readonly networkMode: "host";
  readonly pidMode: "host";
  readonly user: string;
  readonly groupAdds?: string[];
  readonly envs: string[];
  readonly mounts: ContainerMount[];
  readonly logDriver: "local";
  readonly destroyGraceSeconds: number;
}

export interface ContainerMount {
  readonly type: "bind" | "volume";
  /** Absolute path, or name of the volume. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** Gives open connections time to end. */
const graceSeconds = 10;

/**
 * - The host's network: agents on this machine and in Docker listen on 127.0.0.1.
 * - The host's process ids: mngr checks the processes of local agents.
 * - The user's uid: only that user can access mngr's files and tmux's sockets.
 * - Paths match this machine's, because mngr's records contain them.
 */
export function containerArgs(image: string, environment: ForwardingEnvironment, from: MachineContext): ContainerArgs {
  const { uid, gid, home, hostDirs, tmuxFolder, modalFiles, dockerSocket, socketGid, settings } = from;
  const needsGroup = uid !== 0 && socketGid !== undefined && socketGid !== gid;
  const variables = { ...settings, ...environment, HOME: home };
  return {
    name: containerName(environment.INSTALLATION),
    image,
    restart: "unless-stopped",
    networkMode: "host",
    pidMode: "host",
    user: `${uid}:${gid}`,
    ...(needsGroup ? { groupAdds: [String(socketGid)] } : {}),
    envs: Object.entries(variables)
      .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
      .sort(),
    mounts: [
      { type: "volume", source: volumeName(environment.INSTALLATION), target: stateFolder, readOnly: false },
      // This includes the agents' repos and data, where their registrations are read.
      bind(join(home, ".changelings"), "read only"),
      ...hostDirs.map((path) => bind(path)),
      bind(tmuxFolder),
      ...modalFiles.map((path) => bind(path, "read only")),
      bind(dockerSocket),
    ],
    logDriver: "local",
    destroyGraceSeconds: graceSeconds,
  };
}

function bind(path: string, access?: "read only"): ContainerMount {
  return { type: "bind", source: path, target: path, readOnly: access !== undefined };
}
