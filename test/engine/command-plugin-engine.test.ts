import { once } from "node:events";
import { existsSync, watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { allEnd, isAlive } from "./plugin-driver.ts";
import { PluginStack } from "./plugin-stack.ts";

const secret = "a-secret-that-must-not-be-seen";

test("create, change, replace and destroy, with the real engine", async () => {
  await using stack = await PluginStack.create("command");
  const noted = {
    create: 'echo "create $SCHEDULE $DRIFT" | tee -a log; printf %s "$TOKEN" | wc -c',
    delete: 'echo "delete $SCHEDULE" >>log',
    environment: { SCHEDULE: "daily", DRIFT: "none" },
    secrets: { TOKEN: secret },
    addPreviousOutputInEnv: false,
    ignoreChanges: ["environment.DRIFT"],
  };
  const triggered = { create: "echo begin >>log", delete: "echo end >>log" };
  await stack.declare({ noted, triggered: { ...triggered, triggers: ["1"] } });
  expect(await stack.preview()).toEqual({ noted: "create", triggered: "create" });
  await stack.up();
  expect((await logOf(stack)).sort()).toEqual(["begin", "create daily none"]);
  const { noted: created } = stack.outputs();
  expect(created).toMatchObject({ stdout: "create daily none\n30", environment: { SCHEDULE: "daily", DRIFT: "none" } });
  expect(await stack.kept()).not.toContain(secret);

  // Nothing to do, also where only an ignored value differs.
  await stack.declare({
    noted: { ...noted, environment: { SCHEDULE: "daily", DRIFT: "other" } },
    triggered: { ...triggered, triggers: ["1"] },
  });
  expect(await stack.up()).toContain("3 unchanged");

  await stack.declare({
    noted: { ...noted, environment: { SCHEDULE: "hourly", DRIFT: "other" } },
    triggered: { ...triggered, triggers: ["2"] },
  });
  expect(await stack.preview()).toMatchObject({ noted: "update environment.SCHEDULE" });
  const output = await stack.up();
  expect(output).toContain("~ 1 updated");
  expect(output).toContain("+-1 replaced");
  expect(output).not.toContain(secret);
  const log = await logOf(stack);
  expect(log.filter((line) => line.startsWith("create"))).toEqual(["create daily none", "create hourly none"]);
  expect(log.filter((line) => !line.startsWith("create"))).toEqual(["begin", "begin", "end"]);

  await stack.succeed("destroy", "--yes", "--skip-preview");
  expect((await logOf(stack)).slice(log.length).sort()).toEqual(["delete hourly", "end"]);
  expect(stack.outputs()).toEqual({});
});

test("a failing create, and an interrupt in the middle of one", async () => {
  await using stack = await PluginStack.create("command");
  await stack.declare({ failing: { create: "echo out; sleep 0.1; echo err >&2; exit 3", logging: "none" } });
  const failed = await stack.start("up", "--yes", "--skip-preview").outcome;
  expect(failed.code).not.toBe(0);
  expect(failed.output.replace(/^ +/gm, "")).toContain(
    'error: exit status 3: running "echo out; sleep 0.1; echo err >&2; exit 3":\nout\nerr\n',
  );

  await stack.declare({ long: { create: "sleep 600 & echo $$ $! >pids.new; mv pids.new pids; wait" } });
  const { child, outcome } = stack.start("up", "--yes", "--skip-preview");
  const early = outcome.then(({ output }) => Promise.reject(new Error(`pulumi ended too early:\n${output}`)));
  const printed = await Promise.race([fileAppears(stack.program, "pids"), early]);
  const pids = printed.trim().split(" ").map(Number);
  expect(pids.map(isAlive)).toEqual([true, true]);
  child.kill("SIGINT");
  early.catch(() => {});
  const { code, output } = await outcome;
  expect(code).not.toBe(0);
  expect(output).toContain("error: signal: killed: running");
  await allEnd(pids);
  expect(stack.outputs()).toEqual({});
});

/** The lines that commands have written to `log` so far. */
async function logOf(stack: PluginStack): Promise<string[]> {
  return (await readFile(join(stack.program, "log"), "utf8")).trimEnd().split("\n");
}

/** The content of a file, as soon as it is there. */
async function fileAppears(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  const watcher = watch(folder);
  try {
    while (!existsSync(path)) await once(watcher, "change");
    return await readFile(path, "utf8");
  } finally {
    watcher.close();
  }
}
