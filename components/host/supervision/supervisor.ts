import { spawn } from "node:child_process";
import { userInfo } from "node:os";
import type { Daemon } from "./daemon.ts";

/** Keeps a program running: restarts it within seconds when it crashes, but not when it exits with 0. */
export interface Supervisor {
  /** For instance `systemd`. */
  readonly name: string;
  isUsable(home: string): Promise<boolean>;
  isInstalled(daemon: Daemon): boolean;
  start(daemon: Daemon): Promise<void>;
  /** Ends the supervision and, if necessary, the program. Succeeds if there is none. */
  stop(daemon: Daemon): Promise<void>;
  /** What the user must do for the program to start again after a reboot; undefined for nothing. */
  bootInstructions(daemon: Daemon): string | undefined;
}

/** Service managers use the account's home. With another HOME they would supervise the wrong program. */
export function isOwnHome(home: string): boolean {
  return userInfo().homedir === home;
}

/** Runs a program and waits for it. Exits with 127 if it does not exist. */
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

/** @throws with the program's output if it fails */
export async function mustRun(program: string, args: readonly string[]): Promise<void> {
  const { code, output } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} failed (exit status ${code}): ${output.trim()}`);
}
