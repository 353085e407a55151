import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../../../support/scheduler-lab.ts";

const wrapper = join(import.meta.dirname, "../../../../components/cron/local/runs/run-command.sh");
let folder: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "run-command-"));
});
afterEach(() => {
  try {
    if (child?.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // All of it has ended.
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

const at = (file: string) => join(folder, file);
const output = () => (existsSync(at("output.log")) ? readFileSync(at("output.log"), "utf8") : "");

function run(script: string, variables: Record<string, string> = {}): Promise<number> {
  const env = { PATH: process.env["PATH"], FOLDER: folder, TOKEN: "ghp_0123456789", ...variables };
  child = spawn("sh", [wrapper, folder, "sh", "-c", script], { env, detached: true, stdio: "ignore" });
  return once(child, "exit").then(([code]) => Number(code));
}

describe("the wrapper of a command", () => {
  it("keeps secrets out of the output while it runs", async () => {
    writeFileSync(at("secrets"), "TOKEN\nGH_TOKEN");
    const ended = run(
      'echo "one $TOKEN"; printf "x-access-token:$TOKEN" | base64 >&2; while [ ! -e "$FOLDER/go" ]; do sleep 0.05; done; printf "last $TOKEN"; exit 3',
    );
    const text = await eventually("two lines are there", () =>
      output().split("\n").length > 2 ? output() : undefined,
    );
    expect(text).toMatch(/^one \*\*\*\neC1hY2Nlc3MtdG9rZW46\*\*\*=?\n$/);
    writeFileSync(at("go"), "");
    expect(await ended).toBe(3);
    expect(output()).toBe(`${text}last ***\n`);
    expect(JSON.parse(readFileSync(at("exit.json"), "utf8"))).toMatchObject({ exitCode: 3 });
    expect(existsSync(at("output.pipe"))).toBe(false);
  });

  it("writes the output as it is where there is no secret", async () => {
    expect(await run('printf "a\\0b"')).toBe(0);
    expect(output()).toBe("a\0b");
  });

  it("ends with its command, whatever that left running", async () => {
    writeFileSync(at("secrets"), "TOKEN");
    expect(await run('sleep 300 & echo "$TOKEN"')).toBe(0);
    await eventually("the output is there", () => (output() === "***\n" ? true : undefined));
  });

  it("keeps no output when it can't redact it, and runs the command all the same", async () => {
    writeFileSync(at("secrets"), "TOKEN");
    writeFileSync(at("awk"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    expect(await run('echo "$TOKEN"; exit 4', { PATH: `${folder}:${process.env["PATH"]}` })).toBe(4);
    expect(output()).toBe("Its output is not kept: secrets could not be redacted from it\n");
  });
});
