import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { removeControlGroup, writeControl } from "../../lib/control-group.ts";

/** Limits on all programs of a sandbox together. */
export interface Limits {
  readonly memoryGb?: number | undefined;
  readonly cpu?: number | undefined;
}

/** How the limits are enforced. */
export interface Enforcement {
  /** An argv prefix for each program; empty if nothing is enforced. */
  readonly prefix: readonly string[];
  /** Variables that the prefix needs. They don't reach the sandbox. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of the options that this machine can't enforce. */
  readonly missing: readonly string[];
  /** Removes the control groups, after all programs have ended. */
  end(): void;
}

/** Stops fork bombs. */
const maxProcesses = 4096;
const root = "/sys/fs/cgroup";

/**
 * Uses control groups. Root creates them; an ordinary user gets them from systemd. Limits on single processes (ulimit)
 * don't help: Node and the coding agents reserve much more memory than they use.
 */
export function enforce(id: string, limits: Limits): Enforcement {
  const name = `changelings-${id}`;
  const own = existsSync(join(root, "cgroup.controllers")) ? unified(name, limits) : separate(name, limits);
  if (own !== undefined) return own;
  return bySystemd(limits) ?? { prefix: [], env: {}, missing: wantedOf(limits), end: () => {} };
}

/** Removes a sandbox's control groups, also those that a killed process left. */
export function endLimits(id: string): void {
  for (const folder of ["", "memory", "cpu", "pids"]) removeControlGroup(join(root, folder, `changelings-${id}`));
}

/** cgroup v2: one folder for all controllers. */
function unified(name: string, limits: Limits): Enforcement | undefined {
  const folder = join(root, name);
  for (const controller of ["memory", "cpu", "pids"])
    writeControl(join(root, "cgroup.subtree_control"), `+${controller}`);
  if (!make(folder)) return undefined;
  const { memoryGb, cpu } = limits;
  const missing = [
    ...(memoryGb === undefined || writeControl(join(folder, "memory.max"), bytes(memoryGb)) ? [] : ["memory_gb"]),
    ...(cpu === undefined || writeControl(join(folder, "cpu.max"), `${quota(cpu)} ${periodMicroseconds}`)
      ? []
      : ["cpu"]),
  ];
  if (memoryGb !== undefined) writeControl(join(folder, "memory.swap.max"), "0");
  writeControl(join(folder, "pids.max"), String(maxProcesses));
  return { prefix: joining([folder]), env: {}, missing, end: () => removeControlGroup(folder) };
}

/** cgroup v1: a folder for each controller. */
function separate(name: string, { memoryGb, cpu }: Limits): Enforcement | undefined {
  const groups: string[] = [];
  const limit = (controller: string, file: string, value: string): boolean => {
    const folder = join(root, controller, name);
    if (!existsSync(join(root, controller, "cgroup.procs")) || !make(folder)) return false;
    if (!writeControl(join(folder, file), value)) return false;
    groups.push(folder);
    return true;
  };
  const missing = [
    ...(memoryGb === undefined || limit("memory", "memory.limit_in_bytes", bytes(memoryGb)) ? [] : ["memory_gb"]),
    ...(cpu === undefined || limit("cpu", "cpu.cfs_quota_us", quota(cpu)) ? [] : ["cpu"]),
  ];
  limit("pids", "pids.max", String(maxProcesses));
  if (groups.length === 0) return undefined;
  const end = () => {
    for (const group of groups) removeControlGroup(group);
  };
  return { prefix: joining(groups), env: {}, missing, end };
}

function bySystemd(limits: Limits): Enforcement | undefined {
  const env = Object.fromEntries(
    ["PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"].flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]]],
    ),
  );
  const { memoryGb, cpu } = limits;
  const properties = [
    ...(memoryGb === undefined ? [] : [`MemoryMax=${bytes(memoryGb)}`, "MemorySwapMax=0"]),
    ...(cpu === undefined ? [] : [`CPUQuota=${Math.round(cpu * 100)}%`]),
    `TasksMax=${maxProcesses}`,
  ];
  const prefix = [
    ...["systemd-run", "--user", "--scope", "--quiet", "--collect"],
    ...properties.flatMap((property) => ["--property", property]),
    "--",
  ];
  if (env["XDG_RUNTIME_DIR"] === undefined || !runs([...prefix, "true"], env)) return undefined;
  return { prefix, env, missing: [], end: () => {} };
}

function runs([program = "", ...args]: readonly string[], env: Record<string, string>): boolean {
  return spawnSync(program, args, { env, timeout: 5_000, stdio: "ignore" }).status === 0;
}

/** In which a group may use its quota of processor time, as in the kernel's default. */
const periodMicroseconds = 100_000;
const quota = (cpu: number) => String(Math.max(1000, Math.round(cpu * periodMicroseconds)));
const bytes = (gigabytes: number) => String(Math.round(gigabytes * 1024 ** 3));

/** A shell that joins the groups, then executes the program. */
function joining(groups: readonly string[]): string[] {
  const script = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"';
  return ["/bin/sh", "-c", script, "sh", ...groups, "--"];
}

function make(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    return true;
  } catch {
    return false;
  }
}

function wantedOf({ memoryGb, cpu }: Limits): string[] {
  return [...(memoryGb === undefined ? [] : ["memory_gb"]), ...(cpu === undefined ? [] : ["cpu"])];
}
