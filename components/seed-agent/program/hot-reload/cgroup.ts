import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { removeControlGroup, writeControl } from "../../../lib/control-group.ts";
import { isAlive } from "../../../lib/process.ts";

/** Limits that a process can't get around by starting other processes. */
export interface Group {
  /** Moves a process, and what it starts from now on, into the group. */
  add(pid: number): void;
  /** Call it when all processes of the group have ended. */
  remove(): void;
}

const root = "/sys/fs/cgroup";
const prefix = "seed-agent-";
let count = 0;

/**
 * Creates a control group where this process is allowed to: as root, and outside of most containers. For an ordinary user,
 * `prlimit --nproc` limits the number of processes. For root, the kernel ignores that limit.
 *
 * @param limits memory in bytes
 */
export function makeGroup(limits: { readonly processes: number; readonly memory: number }): Group | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const name = `${prefix}${process.pid}-${count++}`;
  const isUnified = existsSync(join(root, "cgroup.controllers"));
  const folders = isUnified ? unified(name, limits) : separate(name, limits);
  if (folders.length === 0) return undefined;
  return {
    add(pid) {
      for (const folder of folders) writeControl(join(folder, "cgroup.procs"), String(pid));
    },
    remove() {
      for (const folder of folders) removeControlGroup(folder);
      removeLeftovers(isUnified);
    },
  };
}

function unified(name: string, { processes, memory }: { readonly processes: number; readonly memory: number }) {
  const folder = join(root, name);
  for (const controller of ["memory", "pids"]) writeControl(join(root, "cgroup.subtree_control"), `+${controller}`);
  if (!makeFolder(folder)) return [];
  writeControl(join(folder, "pids.max"), String(processes));
  writeControl(join(folder, "memory.max"), String(memory));
  writeControl(join(folder, "memory.swap.max"), "0");
  return [folder];
}

function separate(name: string, { processes, memory }: { readonly processes: number; readonly memory: number }) {
  const limits = [
    ["pids", "pids.max", processes],
    ["memory", "memory.limit_in_bytes", memory],
  ] as const;
  return limits.flatMap(([controller, file, value]) => {
    const folder = join(root, controller, name);
    if (!existsSync(join(root, controller, "cgroup.procs")) || !makeFolder(folder)) return [];
    return writeControl(join(folder, file), String(value)) ? [folder] : [];
  });
}

/** Removes the groups of services that were killed. */
function removeLeftovers(isUnified: boolean): void {
  for (const folder of isUnified ? [root] : [join(root, "pids"), join(root, "memory")]) {
    for (const name of list(folder)) {
      const pid = Number(new RegExp(`^${prefix}(\\d+)-\\d+$`).exec(name)?.[1]);
      if (pid > 0 && !isAlive(pid)) removeControlGroup(join(folder, name));
    }
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function makeFolder(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch {
    return false;
  }
}
