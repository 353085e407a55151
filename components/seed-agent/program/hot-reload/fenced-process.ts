import { execFile, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { constants, setPriority } from "node:os";
import type { Duplex, Readable } from "node:stream";
import { watchOver } from "../../../lib/process.ts";
import { plainWords } from "../../../lib/text.ts";
import { makeGroup } from "./cgroup.ts";
import { fenced, fencedEnvironment, programOnPath } from "./fence.ts";
import { splitLines } from "./lines.ts";
import type { Fence } from "./version-host.ts";

export interface FencedProcessOptions {
  readonly fence: Fence;
  /** The text of the program, which Node reads from its standard input. */
  readonly program: string;
  /** The limit of the whole process, in MiB. */
  readonly memoryMb: number;
  /** Whether it runs at a lower priority than the service. */
  readonly isBackground?: boolean | undefined;
  readonly onLine: (line: string) => void;
  /** See `fenced`: for tests. */
  readonly isFullNode?: boolean;
}

/** A Node process behind a fence. It exchanges lines of text with the service on its file descriptor 3. */
export interface FencedProcess {
  /** The pid of Node after `confine` has been called; before that, the pid of the program that starts Node. */
  readonly pid: number;
  send(line: string): void;
  /** Sets the limits that need Node's pid. Call it when Node runs, before it gets untrusted code. */
  confine(): Promise<void>;
  /** Resident memory in bytes; 0 after the process has ended. */
  memory(): Promise<number>;
  /** Ends the process and its children. The first reason is the one that is reported. */
  kill(reason: string): void;
  readonly ended: Promise<{ readonly reason: string }>;
}

/** The memory of an idle Node, in MiB. The rest of the limit is for the heap. */
const nodeMb = 48;
/** Additional address space for stacks and heaps of threads that Node starts later, in MiB. */
const addressSpaceMb = 512;
const memoryMilliseconds = 100;
/** The limit of processes and threads. Node has about ten. */
const maxProcesses = 64;
/** The kernel's limit is higher by this, in MiB, so that the service's own limit, which reports a reason, comes first. */
const groupMb = 64;
/** How much of the standard error is kept, and how much may be printed. */
const errorTailBytes = 16 * 1024;
const maxErrorBytes = 1024 * 1024;

/** @throws if the fence's program can't be started */
export function startFencedProcess(options: FencedProcessOptions): FencedProcess {
  const { fence, program, memoryMb, onLine, isFullNode = false, isBackground = false } = options;
  const { command, args, user, reportsPid } = fenced(fence, { heapMb: Math.max(32, memoryMb - nodeMb), isFullNode });
  const child = spawn(command, args, {
    env: fencedEnvironment,
    cwd: "/",
    detached: true,
    // Its standard output is discarded.
    stdio: ["pipe", "ignore", "pipe", "pipe", reportsPid ? "pipe" : "ignore"],
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  const [, , errors, channel, information] = child.stdio as unknown as [
    unknown,
    unknown,
    Readable,
    Duplex,
    Readable | null,
  ];
  let reason: string | undefined;
  let hasEnded = false;
  let nodePid = child.pid ?? 0;
  // setPriority(0) would set the priority of the service itself.
  if (isBackground && child.pid !== undefined) yieldTo(child.pid);
  const kill = (why: string) => {
    reason ??= why;
    if (hasEnded || child.pid === undefined) return;
    // With bubblewrap, Node is in a session of its own.
    for (const target of nodePid === child.pid ? [-child.pid] : [nodePid, -child.pid]) {
      try {
        process.kill(target, "SIGKILL");
      } catch {
        // Already gone.
      }
    }
  };
  // bubblewrap ends together with the service anyway.
  const watcher = child.pid === undefined || reportsPid ? undefined : watchOver(child.pid);

  // Errors of pipes are ignored: the end of the process has a better reason.
  for (const stream of [child.stdin, errors, channel, information]) stream?.on("error", () => {});
  child.stdin?.end(program);
  channel.on(
    "data",
    splitLines(onLine, () => kill("it sent a line of more than 2 MiB")),
  );
  let printed = 0;
  let tail = Buffer.alloc(0);
  errors.on("data", (chunk: Buffer) => {
    printed += chunk.length;
    tail = Buffer.concat([tail, chunk]).subarray(-errorTailBytes);
    if (printed > maxErrorBytes) kill("it printed more than 1 MiB of errors");
  });
  const reportedPid = readPid(information);
  const group = makeGroup({ processes: maxProcesses, memory: (memoryMb + groupMb) * 1024 ** 2 });

  const memory = async () => (hasEnded ? 0 : residentBytes(nodePid));
  let isMeasuring = false;
  const timer = setInterval(async () => {
    if (isMeasuring) return;
    isMeasuring = true;
    const bytes = await memory();
    isMeasuring = false;
    if (bytes > memoryMb * 1024 ** 2) kill(`it used more than ${memoryMb} MiB of memory`);
  }, memoryMilliseconds);

  const ended = new Promise<{ readonly reason: string }>((resolve) => {
    const end = (how: string) => {
      hasEnded = true;
      clearInterval(timer);
      watcher?.kill("SIGKILL");
      channel.destroy();
      group?.remove();
      resolve({ reason: reason ?? how });
    };
    child.once("error", (error) => end(`it could not be started: ${error.message}`));
    child.once("close", (code, signal) => end(endOf(code, signal, tail.toString("utf8"))));
  });

  return {
    get pid() {
      return nodePid;
    },
    send(line) {
      if (channel.writable) channel.write(`${line}\n`);
    },
    async confine() {
      nodePid = (await reportedPid) ?? nodePid;
      if (isBackground) yieldTo(nodePid);
      group?.add(nodePid);
      await limit(nodePid, memoryMb, fence);
    },
    memory,
    kill,
    ended,
  };
}

/** Lowers the priority of the process's present threads, and of those that it starts later. */
function yieldTo(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // The process has ended, or this is not allowed. It is only slower for others then.
  }
}

function readPid(information: Readable | null): Promise<number | undefined> {
  if (information === null) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    let text = "";
    information.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
      if (pid !== undefined) resolve(Number(pid));
    });
    information.once("close", () => resolve(undefined));
  });
}

/** @param tail the end of the standard error, which the code can choose */
function endOf(code: number | null, signal: NodeJS.Signals | null, tail: string): string {
  const lines = plainWords(tail)
    .split("\n")
    .map((line) => line.trim());
  const said =
    lines.find((line) => /^(\w*Error\b|FATAL ERROR|bwrap:)/.test(line)) ?? lines.findLast((line) => line !== "");
  if (/heap out of memory|Reached heap limit/.test(tail)) return "its heap was full";
  // bubblewrap exits with 137 if the kernel killed the process, for instance at its memory limit.
  const killed = signal ?? (code === 137 ? "SIGKILL" : undefined);
  const how = killed === undefined ? `it ended with code ${code}` : `it was ended by ${killed}`;
  return said === undefined ? how : `${how}: ${said.slice(0, 500)}`;
}

/** The memory of only this process: with bubblewrap, it is the only one in its namespace. */
async function residentBytes(pid: number): Promise<number> {
  if (process.platform === "linux") {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  }
  return new Promise((resolve) => {
    execFile("ps", ["-o", "rss=", "-p", String(pid)], (_error, stdout) => resolve(Number(stdout.trim() || 0) * 1024));
  });
}

/**
 * Sets the limits of a process from outside. The address space is limited to the part that Node has reserved by now plus the
 * memory that it may use. No other limit also covers Buffers.
 */
async function limit(pid: number, memoryMb: number, fence: Fence): Promise<void> {
  const prlimit = programOnPath("prlimit");
  if (prlimit === undefined) return;
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const reservedKb = Number(/^VmSize:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  const bytes = reservedKb * 1024 + (memoryMb + addressSpaceMb) * 1024 ** 2;
  const limits = [
    ...["--nofile=64", "--fsize=0", "--core=0"],
    // Without a user namespace, this limit would count all processes of the user.
    ...(fence.name === "bubblewrap" ? [`--nproc=${maxProcesses}`] : []),
    ...(reservedKb === 0 ? [] : [`--as=${bytes}`]),
  ];
  await new Promise<void>((resolve) => {
    // prlimit runs as the process's user, because root in a container may not limit others. It fails if the process ended.
    const { user } = fence;
    const as = user === undefined ? {} : { uid: user, gid: user };
    execFile(prlimit, ["--pid", String(pid), ...limits], { env: {}, cwd: "/", ...as }, () => resolve());
  });
}
