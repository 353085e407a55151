import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { upCommand } from "../../lib/own-commands.ts";
import { readTextIfAny } from "../files.ts";
import type { Daemon } from "./daemon.ts";
import { runProgram, type Supervisor } from "./supervisor.ts";

const script = join(dirname(fileURLToPath(import.meta.url)), "restart-loop.sh");

/** A shell loop in its own session, for machines without a service manager. It does not survive a reboot. */
export const restartLoop: Supervisor = {
  name: "a restart loop",
  isUsable: async () => true,
  isInstalled: (daemon) => existsSync(pidPath(daemon)),
  async start(daemon) {
    // A loop that pauses after a crash would keep running beside the new one.
    await endLoop(daemon);
    const args = [script, daemon.folder, ...daemon.command];
    const child = spawn("/bin/sh", args, { cwd: "/", env: daemon.env, stdio: "ignore", detached: true });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    child.unref();
  },
  async stop(daemon) {
    await endLoop(daemon);
    rmSync(pidPath(daemon), { force: true });
  },
  bootInstructions: () => `after a restart of this machine, start it with: ${upCommand()} (it shows there as drift)`,
};

function pidPath({ folder }: Daemon): string {
  return join(folder, "supervisor.pid");
}

async function endLoop(daemon: Daemon): Promise<void> {
  const pid = Number(readTextIfAny(pidPath(daemon)));
  if (pid > 0 && (await isLoop(pid, daemon))) end(pid);
}

/** The pid may have been reused since it was recorded. */
async function isLoop(pid: number, daemon: Daemon): Promise<boolean> {
  const { output } = await runProgram("ps", ["-ww", "-o", "args=", "-p", String(pid)]);
  return output.includes(`restart-loop.sh ${daemon.folder} `);
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // The process has just ended.
  }
}
