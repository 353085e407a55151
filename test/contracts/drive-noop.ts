// Runs in the copy of the project that has the kind `noop`: its own modules, its own CLI, the real engine.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { makeTestStack } from "../engine/test-stack.ts";
import { changelingInProcess } from "../support/run-in-process.ts";

const test = makeTestStack();
const project = join(import.meta.dirname, "../..");
const greeting = join(test.home, "noop-greeter");
const fleet = (lines: string) => test.declare(`[changelings.greeter]\nkind = "noop"\n${lines}`);
const read = (file = greeting) => (existsSync(file) ? readFileSync(file, "utf8") : null);
const changeling = (...args: string[]) => {
  try {
    return execFileSync(process.execPath, [join(project, "scripts/changeling/changeling.ts"), ...args], {
      cwd: project,
      env: test.env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    return error instanceof Error && "stdout" in error && "stderr" in error
      ? `${error.stderr}${error.stdout}`
      : `${error}`;
  }
};
/** That the program starts is shown by the others. */
const inProcess = async (...args: string[]) => {
  const { stderr, stdout } = await changelingInProcess(args, test.env);
  return stderr + stdout;
};
const up = async () => {
  const { code, stdout, stderr } = await test.up();
  if (code !== 0) throw new Error(stdout + stderr);
  return read();
};
const seen: Record<string, unknown> = {};
try {
  const wrong = ['greeting = "rude"', 'gretting = "hi"', 'schedule = "0 3 * * *"'];
  test.declare(wrong.map((line, at) => `[changelings.greeter-${at}]\nkind = "noop"\n${line}\n`).join(""));
  seen.refused = changeling("validate");
  fleet("");
  seen.validated = changeling("validate");
  seen.planned = (await test.change()).ops;
  seen.deployed = read();
  fleet('greeting = "good morning"');
  seen.plan = changeling("plan");
  seen.updated = await up();
  seen.listed = changeling("list");
  seen.listedInJson = JSON.parse(await inProcess("list", "--json"));
  seen.log = await inProcess("logs", "greeter");
  seen.followed = await inProcess("logs", "greeter", "--follow");
  seen.run = changeling("run", "greeter");
  seen.opened = await inProcess("open", "greeter");
  seen.paused = await inProcess("pause", "greeter");
  seen.healthy = JSON.parse(changeling("doctor", "--json"));
  rmSync(greeting);
  seen.sick = changeling("doctor");
  seen.drifted = (await test.change()).ops;
  seen.repaired = read();
  seen.outputs = JSON.parse((await test.pulumi(["stack", "output", "--json"])).stdout);
  const other = join(test.home, "noop-other");
  test.declare('[changelings.other]\nkind = "noop"\n');
  await up();
  seen.removed = read();
  mkdirSync(test.paths.root, { recursive: true });
  await test.pulumi(["stack", "rm", "--force", "--yes"]);
  seen.kept = read(other);
  seen.discarded = changeling("discard", basename(test.paths.root));
  seen.left = read(other);
} finally {
  await test.remove({ destroy: false });
}
process.stdout.write(JSON.stringify(seen));
