import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ExecEnd, type ExecOptions, type Sandbox, SandboxGone } from "../../components/sandbox/provider.ts";

/** A sandbox that confines nothing: its programs run on this machine, in a home of their own. */
export interface HostSandbox extends Sandbox, AsyncDisposable {
  readonly home: string;
  /** A git repository with one commit. */
  readonly repoPath: string;
  /** Every argument list that was executed, with the environment. */
  readonly execs: readonly { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> }[];
  /** The ids of its live processes. */
  processes(): number[];
  /** Waits until one of its live processes has this command line. */
  runs(command: string): Promise<void>;
}

/** @param path its PATH */
export function hostSandbox(path: string): HostSandbox {
  const folder = mkdtempSync(join(tmpdir(), "host-sandbox-"));
  const home = join(folder, "home");
  const repoPath = join(folder, "workspace/repo");
  for (const each of [home, repoPath]) mkdirSync(each, { recursive: true });
  const base = { PATH: path, HOME: home, GIT_CONFIG_NOSYSTEM: "1", TEST_SANDBOX: folder };
  const git = (...args: string[]) => execFileSync("git", args, { cwd: repoPath, env: base });
  git("init", "-q", "-b", "main");
  git("config", "--global", "user.name", "Test User (Harvest)");
  git("config", "--global", "user.email", "test@example.com");
  git("commit", "-q", "--allow-empty", "-m", "Begin");

  const execs: { argv: readonly string[]; env: Readonly<Record<string, string>> }[] = [];
  const processes = (run = "") => processesWith(folder, run);
  let isGone = false;
  let serial = 0;

  return {
    id: folder,
    home,
    repoPath,
    execs,
    processes: () => processes(),
    async runs(command) {
      while (!processes().some((pid) => commandOf(pid) === command)) await sleep(20);
    },
    async exec(argv, options) {
      if (isGone) throw new SandboxGone(folder);
      execs.push({ argv, env: options.env ?? {} });
      serial += 1;
      const run = String(serial);
      const end = await execute(argv, { ...options, env: { ...base, ...options.env, TEST_RUN: run } }, () =>
        kill(processes(run)),
      );
      kill(processes(run));
      if (isGone) throw new SandboxGone(folder);
      return end;
    },
    async snapshot() {
      throw new Error("a sandbox on the host has no snapshots");
    },
    async terminate() {
      isGone = true;
      kill(processes());
    },
    async [Symbol.asyncDispose]() {
      await this.terminate();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function execute(
  [program = "", ...args]: readonly string[],
  options: ExecOptions & { readonly env: Readonly<Record<string, string>> },
  end: () => void,
): Promise<ExecEnd> {
  return new Promise((resolve) => {
    const output = { stdout: "", stderr: "" };
    let code: number | undefined;
    const child = spawn(program, args, { cwd: options.cwd ?? "/", env: options.env, detached: true });
    const stop = (why: number) => {
      code ??= why;
      child.kill("SIGKILL");
      end();
    };
    const timer = setTimeout(() => stop(124), options.timeoutSeconds * 1000);
    const onAbort = () => stop(130);
    options.signal?.addEventListener("abort", onAbort, { once: true });
    if (options.signal?.aborted) onAbort();
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        output[stream] += text;
        options.onOutput?.(text, stream);
      });
    }
    child.stdin.once("error", () => {}).end(options.stdin ?? "");
    const close = (exit: number) => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
      resolve({ code: code ?? exit, ...output });
    };
    child.once("error", () => close(127));
    // Not "close": a process that the program left behind may keep its output open.
    child.once("exit", (exit) => setTimeout(close, 50, exit ?? 1));
  });
}

/** The processes of a sandbox, found by their environment. */
function processesWith(folder: string, run: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((pid) => {
      try {
        const variables = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
        const isOurs = variables.includes(`TEST_SANDBOX=${folder}`);
        return isOurs && (run === "" || variables.includes(`TEST_RUN=${run}`));
      } catch {
        return false;
      }
    })
    .map(Number);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim();
  } catch {
    return "";
  }
}

function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Already gone.
    }
  }
}
