import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { FindFence } from "./checking.ts";
import type { Fence } from "./version-host.ts";

/** An argv, and whom it runs as, for a Node program that is read from stdin. */
export interface Fenced {
  readonly command: string;
  readonly args: readonly string[];
  readonly user?: number;
  /** Whether the child writes `{"child-pid": …}` to its file descriptor 4, for the pid of Node. */
  readonly reportsPid: boolean;
}

/** `nobody` on every Linux: the kernel's overflow id. */
const nobody = 65534;
const trialMilliseconds = 20_000;

/** Tries bubblewrap by running Node in it. @throws if bubblewrap is demanded and does not work */
export const findFence: FindFence = async (wanted) => {
  if (wanted === "permission") return { name: "permission", reason: 'SEED_FENCE is "permission"' };
  const bubblewrap = programOnPath("bwrap");
  const result = bubblewrap === undefined ? missing : await tryBubblewrap(bubblewrap);
  if (typeof result !== "string") return result;
  if (wanted === "bubblewrap") throw new Error(`SEED_FENCE is "bubblewrap", but ${result}`);
  return { name: "permission", reason: result };
};

const missing = "bubblewrap is not installed: there is no program bwrap on PATH (package bubblewrap)";

/** @returns the fence, or why it does not work, in words */
async function tryBubblewrap(bubblewrap: string): Promise<Fence | string> {
  const plain: Fence = { name: "bubblewrap", bubblewrap };
  // Where the service is root, the code had better not be, but a Node below /root is closed to others.
  const users = process.getuid?.() === 0 ? [{ ...plain, user: nobody }, plain] : [plain];
  // In a container, /proc/sys is read-only: there bubblewrap can't forbid namespaces within its own.
  const fences = users.flatMap((fence): Fence[] => [fence, { ...fence, allowsNamespaces: true }]);
  let reason = "";
  for (const fence of fences) {
    const result = await tryFence(fence);
    if (result === undefined) return fence;
    reason = result;
  }
  return `bubblewrap does not work here: ${reason}. Let programs make user namespaces: sysctl user.max_user_namespaces=15000, on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0; in a container, a seccomp profile that allows it`;
}

/** @returns why it does not work, in words */
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
  /** Without Node's permission model, as if code had broken out of it: for tests of bubblewrap. */
  readonly isFullNode?: boolean;
}

/** How Node is started for code that is not trusted. The program comes from stdin, so that no file need be readable. */
export function fenced(fence: Fence, { heapMb, isFullNode = false }: FencedOptions): Fenced {
  const node = [
    ...(isFullNode ? [] : ["--permission"]),
    "--disallow-code-generation-from-strings",
    // Without the compiled-code cache and the inspector's signal there is less to attack.
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

/** The environment in the fence. Answers must not depend on the machine's zone or language. */
export const fencedEnvironment: Readonly<Record<string, string>> = {
  ...{ TZ: "UTC", LANG: "en_US.UTF-8", LC_ALL: "en_US.UTF-8" },
  // Each arena of malloc reserves memory that would count.
  ...{ MALLOC_ARENA_MAX: "2", UV_THREADPOOL_SIZE: "1" },
};

/**
 * Namespaces of its own, no capabilities, and no files but Node and its libraries: no /proc, so that it works in a
 * container that hides parts of it, no /etc, no place to write to. Ends together with the service.
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

/** What the dynamic linker loaded for this Node. */
function sharedLibraries(): readonly string[] {
  libraries ??= readSharedLibraries();
  return libraries;
}

function readSharedLibraries(): readonly string[] {
  // Else it looks up the names of this machine's addresses.
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
      // Not there.
    }
  }
  return undefined;
}
