import { spawn } from "node:child_process";
import { userInfo } from "node:os";
import type { Daemon } from "./daemon.ts";

/** Keeps a program running: starts it again within seconds when it crashes, not when it ended by itself. */
export interface Supervisor {
  /** In words, for instance `systemd`. */
  readonly name: string;
  isUsable(home: string): Promise<boolean>;
  isInstalled(daemon: Daemon): boolean;
  start(daemon: Daemon): Promise<void>;
  /** Ends the supervision and, if need be, the program; succeeds when there is none. */
  stop(daemon: Daemon): Promise<void>;
  /** What a person has to do for the program to come back after a restart of the machine; undefined for nothing. */
  bootInstructions(daemon: Daemon): string | undefined;
}

/** Service managers read what belongs to the account; with another HOME they would supervise the wrong thing. */
export function isOwnHome(home: string): boolean {
  return userInfo().homedir === home;
}

/** Runs a program to its end; one that is not there ends with 127. */
export function runProgram(program: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], timeout: 30_000 });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.once("error", (error) => resolve({ code: 127, output: error.message }));
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** @throws with what it printed, when it fails */
export async function mustRun(program: string, args: readonly string[]): Promise<void> {
  const { code, output } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} failed (exit status ${code}): ${output.trim()}`);
}
