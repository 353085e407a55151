import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { FindFence } from "./checking.ts";
import type { Fence } from "./version-host.ts";

/** How to start a Node program that is read from stdin, behind a fence. */
export interface Fenced {
  readonly command: string;
  readonly args: readonly string[];
  readonly user?: number;
  /** Whether the command writes Node's pid to file descriptor 4, as `{"child-pid": …}`. */
  readonly reportsPid: boolean;
}

/** `nobody` on every Linux: the kernel's overflow id. */
const nobody = 65534;
const trialMilliseconds = 20_000;

/** Tries bubblewrap by running Node in it. @throws if bubblewrap is required and does not work */
export const findFence: FindFence = async (wanted) => {
  if (wanted === "permission") return { name: "permission", reason: 'SEED_FENCE is "permission"' };
  const bubblewrap = programOnPath("bwrap");
  const result = bubblewrap === undefined ? missing : await tryBubblewrap(bubblewrap);
  if (typeof result !== "string") return result;
  if (wanted === "bubblewrap") throw new Error(`SEED_FENCE is "bubblewrap", but ${result}`);
  return { name: "permission", reason: result };
};

const missing = "bubblewrap is not installed: there is no program bwrap on PATH (package bubblewrap)";

/** @returns the fence, or why bubblewrap does not work */
async function tryBubblewrap(bubblewrap: string): Promise<Fence | string> {
  const plain: Fence = { name: "bubblewrap", bubblewrap };
  // If the service is root, the code should run as nobody, but nobody can't read a Node below /root.
  const users = process.getuid?.() === 0 ? [{ ...plain, user: nobody }, plain] : [plain];
  // In a container, /proc/sys is read-only, so bubblewrap can't forbid nested namespaces.
  const fences = users.flatMap((fence): Fence[] => [fence, { ...fence, allowsNamespaces: true }]);
  let reason = "";
  for (const fence of fences) {
    const result = await tryFence(fence);
    if (result === undefined) return fence;
    reason = result;
  }
  return `bubblewrap does not work here: ${reason}. Let programs make user namespaces: sysctl user.max_user_namespaces=15000, on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0; in a container, a seccomp profile that allows it`;
}

/** @returns why the fence does not work, or undefined if it does */
function tryFence(fence: Fence): Promise<string | undefined> {
  const { command, args, user } = fenced(fence, { heapMb: 64 });
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe", "ignore", "pipe"],
      ...{ env: {}, cwd: "/", timeout: trialMilliseconds },
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
    let output = "";
    let errors = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.stdin?.once("error", () => {}).end("process.stdout.write('fenced')");
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code) => {
      const isFenced = code === 0 && output === "fenced";
      resolve(isFenced ? undefined : errors.trim().split("\n").at(-1) || `it ended with ${code}`);
    });
  });
}

interface FencedOptions {
  readonly heapMb: number;
  /** For tests of bubblewrap: without Node's permission model, as if the code had broken out of it. */
  readonly isFullNode?: boolean;
}

/** How to start Node for untrusted code. The program comes from stdin, so that Node needs to read no file. */
export function fenced(fence: Fence, { heapMb, isFullNode = false }: FencedOptions): Fenced {
  const node = [
    ...(isFullNode ? [] : ["--permission"]),
    "--disallow-code-generation-from-strings",
    // Fewer features of Node, so that there is less to attack.
    ...["--disable-sigusr1", "--no-addons", "--disable-warning=ExperimentalWarning"],
    `--max-old-space-size=${heapMb}`,
    "-",
  ];
  if (fence.bubblewrap === undefined) return { command: process.execPath, args: node, reportsPid: false };
  return {
    command: fence.bubblewrap,
    args: [...confinement(fence), "--info-fd", "4", "--", "/node", ...node],
    reportsPid: true,
    ...(fence.user === undefined ? {} : { user: fence.user }),
  };
}

/** The environment behind the fence. Answers must not depend on the machine's time zone or language. */
export const fencedEnvironment: Readonly<Record<string, string>> = {
  ...{ TZ: "UTC", LANG: "en_US.UTF-8", LC_ALL: "en_US.UTF-8" },
  // Each arena of malloc reserves address space, which is limited.
  ...{ MALLOC_ARENA_MAX: "2", UV_THREADPOOL_SIZE: "1" },
};

/**
 * New namespaces, no capabilities, and no files except Node and its libraries, read-only. There is no /etc and no /proc: a
 * /proc would not work in a container that hides parts of its own. The process ends together with the service.
 */
function confinement({ allowsNamespaces }: Fence): string[] {
  return [
    ...["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--unshare-cgroup-try"],
    ...["--uid", String(nobody), "--gid", String(nobody), "--cap-drop", "ALL"],
    ...(allowsNamespaces ? [] : ["--disable-userns"]),
    ...["--clearenv", "--die-with-parent", "--new-session", "--as-pid-1", "--hostname", "agent"],
    ...Object.entries(fencedEnvironment).flatMap(([name, value]) => ["--setenv", name, value]),
    ...sharedLibraries().flatMap((path) => ["--ro-bind", path, path]),
    ...["--ro-bind", process.execPath, "/node"],
    ...["--dev-bind", "/dev/null", "/dev/null", "--remount-ro", "/", "--chdir", "/"],
  ];
}

let libraries: readonly string[] | undefined;

/** The libraries that the dynamic linker loaded for this Node. */
function sharedLibraries(): readonly string[] {
  libraries ??= readSharedLibraries();
  return libraries;
}

function readSharedLibraries(): readonly string[] {
  // Without this, the report looks up the names of this machine's addresses.
  Object.assign(process.report, { excludeNetwork: true });
  const report: unknown = process.report.getReport();
  const objects = report instanceof Object && "sharedObjects" in report ? report.sharedObjects : [];
  return (Array.isArray(objects) ? objects : []).filter(
    (path): path is string =>
      typeof path === "string" && isAbsolute(path) && path !== process.execPath && !path.endsWith(".node"),
  );
}

export function programOnPath(name: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (isAbsolute(path)) return path;
    } catch {
      // There is no such program in this folder.
    }
  }
  return undefined;
}
