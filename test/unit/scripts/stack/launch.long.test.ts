import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";
import { usages } from "../../../../scripts/stack/setup/arguments.mjs";
import { checkout } from "../../../../scripts/stack/setup/cache.mjs";
import { startOf } from "../../../../scripts/stack/setup/processes.mjs";

const launcher = join(checkout, "scripts/stack/launch.mjs");
const passThrough = join(checkout, "scripts/stack/setup/pass-through.mjs");

describe("the launcher", () => {
  test.each([
    [["nope"], 'There is no command "nope".'],
    [[], "No command is given."],
    [["toString"], 'There is no command "toString".'],
  ])("refuses %j with 2 and says what there is", (args, problem) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...args], { encoding: "utf8" });
    const usage =
      "Usage: node scripts/stack/launch.mjs setup | start | stop | changeling | pulumi | pipeline | emulator | test | test-modal | bench | check | docs | build | coverage | release [arguments]";
    expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: "", stderr: `${problem}\n${usage}\n` });
  });

  // Neither a cache nor programs: what needs them would fail, or create the cache.
  const env = { PATH: "", HOME: "/nonexistent" };

  test.each(Object.keys(usages))("shows the help of %s before setup", (command) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, command, "--help"], {
      encoding: "utf8",
      env,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^Usage: npm [\s\S]*\nExamples:\n {2}npm /);
  });

  test("refuses a wrong option before setup", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, "start", "--nope"], {
      encoding: "utf8",
      env,
    });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^error: unknown option --nope\n\nUsage: npm start\n/);
  });

  test("every command has a table of its arguments, or reads them itself", () => {
    const commands = [...readFileSync(launcher, "utf8").matchAll(/^ {2}"?([\w-]+)"?: \{ program:/gm)].map(
      ([, name = ""]) => name,
    );
    expect(new Set(commands)).toEqual(new Set([...Object.keys(usages), "changeling", "pulumi", "pipeline"]));
  });
});

test("a cache that can't be written is an error that names the way out", () => {
  const cache = join(checkout, "package.json/cache");
  const { status, stderr } = spawnSync(process.execPath, [launcher, "setup"], {
    encoding: "utf8",
    env: { ...process.env, CHANGELINGS_CACHE: cache, PULUMI_HOME: undefined },
  });
  expect(stderr).toBe(
    `Setup: ENOTDIR: not a directory, mkdir '${cache}/locks'\n` +
      `Make room there, or name another folder for the cache than ${cache} in CHANGELINGS_CACHE.\n`,
  );
  expect(status).toBe(1);
});

describe("a program that is run in our place", () => {
  const started: ChildProcess[] = [];
  const grandchildren: number[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill("SIGKILL");
    for (const pid of grandchildren.splice(0)) if (startOf(pid) !== null) process.kill(pid, "SIGKILL");
  });

  /** Runs a Node program through passThrough, without a terminal. */
  function run(program: string): { child: ChildProcess; lines: AsyncIterator<string>; end: Promise<unknown[]> } {
    const code = `const { passThrough, endLike } = await import(${JSON.stringify(passThrough)});
      endLike(await passThrough([process.execPath, "--input-type=module", "-e", ${JSON.stringify(program)}]));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "ignore"] });
    started.push(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return { child, lines, end: once(child, "exit") };
  }

  test("passes its exit code on", async () => {
    expect(await run("process.exit(7)").end).toEqual([7, null]);
  });

  test("passes on the signal that ended it", async () => {
    expect(await run('process.kill(process.pid, "SIGKILL")').end).toEqual([null, "SIGKILL"]);
  });

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("gets one %s and may end as it likes", async (signal) => {
    const { child, lines, end } = run(`
      let count = 0;
      process.on("${signal}", () => { count += 1; setTimeout(() => { console.log(count); process.exit(3); }, 100); });
      setInterval(() => {}, 1000);
      console.log("ready");`);
    expect((await lines.next()).value).toBe("ready");
    child.kill(signal);
    expect((await lines.next()).value).toBe("1");
    expect(await end).toEqual([3, null]);
  });

  test("is ended by a second signal, with all that it started", async () => {
    const { child, lines, end } = run(`
      import { spawn } from "node:child_process";
      const deaf = 'process.on("SIGINT", () => console.log("heard")); setInterval(() => {}, 1000); console.log(process.pid);';
      process.on("SIGINT", () => console.log("heard"));
      spawn(process.execPath, ["-e", deaf], { stdio: "inherit", detached: true });`);
    const grandchild = Number((await lines.next()).value);
    grandchildren.push(grandchild);
    expect(startOf(grandchild)).not.toBeNull();
    child.kill("SIGINT");
    expect((await lines.next()).value).toBe("heard");
    child.kill("SIGINT");
    expect(await end).toEqual([null, "SIGKILL"]);
    await expect.poll(() => startOf(grandchild), { timeout: 5_000 }).toBeNull();
  });
});
