import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { projectFolder } from "../../scripts/stack/project.ts";
import { descendantsOf, signalQuietly } from "../../scripts/stack/setup/processes.mjs";
import type { Finished } from "../../scripts/stack/stack.ts";
import type { TestStack } from "./test-stack.ts";

export interface JobOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** The checkout that it runs in; this one by default. */
  readonly checkout?: string;
}

/** Starts `npm run pipeline -- …` as the launcher does. */
function start(
  test: TestStack,
  args: readonly string[],
  { env = {}, checkout = projectFolder }: JobOptions,
): ChildProcess {
  return spawn(process.execPath, [join(checkout, "scripts/stack/pipeline.ts"), ...args], {
    cwd: checkout,
    env: { ...test.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs one step of a pipeline to its end. */
export async function pipelineJob(
  test: TestStack,
  args: readonly string[],
  options: JobOptions = {},
): Promise<Finished> {
  const child = start(test, args, options);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  const [code] = await once(child, "close");
  return { code, ...output };
}

/** Holds the job of a changeling back in the middle of its create. */
function gate(test: TestStack, name: string): { env: NodeJS.ProcessEnv; isReached: () => boolean } {
  const folder = join(test.home, `gate-${name}`);
  mkdirSync(folder);
  const lines = [
    "#!/bin/sh",
    `case "$NAME $*" in "${name} "*"command.ts local-job apply") : > ${folder}/reached; exec sleep 120 ;; esac`,
    `exec ${process.execPath} "$@"`,
  ];
  writeFileSync(join(folder, "node"), `${lines.join("\n")}\n`);
  chmodSync(join(folder, "node"), 0o755);
  return { env: { PATH: `${folder}:${test.env["PATH"]}` }, isReached: () => existsSync(join(folder, "reached")) };
}

/** Applies until a changeling's job is in the middle of its create, and ends everything at once, as a machine's end does. */
export async function killWhileCreating(test: TestStack, name: string, args: readonly string[]): Promise<void> {
  const { env, isReached } = gate(test, name);
  const child = start(test, args, { env });
  child.stdout?.resume();
  child.stderr?.resume();
  const end = once(child, "close");
  try {
    await expect.poll(isReached, { timeout: 60_000, interval: 100 }).toBe(true);
  } finally {
    if (child.pid !== undefined)
      for (const pid of [child.pid, ...descendantsOf(child.pid)]) signalQuietly(pid, "SIGKILL");
    await end;
  }
}
