import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { installPlugin } from "../../scripts/stack/plugins/install.ts";
import { ask, askAroundCancel, fixture, fixtureNames, fixturePath } from "./command-plugin-fixtures.ts";
import { allEnd, isAlive, PluginDriver } from "./plugin-driver.ts";
import type { Answer, Request } from "./plugin-messages.ts";

let folder: string;
/** The stand-in; to ask another plugin, for instance the official one, name its executable in this variable. */
let executable = resolve(process.env["CHANGELINGS_COMMAND_PLUGIN"] ?? "");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "command-plugin-"));
  if (process.env["CHANGELINGS_COMMAND_PLUGIN"] !== undefined) return;
  const installed = await installPlugin("command", { pulumiHome: join(folder, "home"), node: process.execPath });
  executable = join(installed.folder, "pulumi-resource-command");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("answers as the official plugin did", async () => {
  const parts = await Promise.all(
    fixtureNames.map(async (name) => {
      const { scenarios } = fixture.parse(JSON.parse(await readFile(fixturePath(name), "utf8")));
      return { name, scenarios };
    }),
  );
  let answers: Answer[][];
  beforeAll(async () => {
    const asked = parts.map(({ name, scenarios }) =>
      (name === "cancel" ? askAroundCancel : ask)(executable, scenarios),
    );
    answers = await Promise.all(asked);
  });
  for (const [part, { name, scenarios }] of parts.entries()) {
    for (const [index, scenario] of scenarios.entries()) {
      test(`${name}: ${scenario.name}`, () => {
        expect(answers[part]?.[index]).toEqual(scenario.answer);
      });
    }
  }
});

describe("what a command started ends with it", () => {
  // Prints the pids once both run: the command itself, and its process in the background.
  const command = "sleep 600 & echo $$ $!; wait";
  const begin = async (timeoutSeconds?: number) => {
    const plugin = await PluginDriver.start(executable, folder, { PATH: "/usr/bin:/bin" });
    const line = once(plugin.log, "line");
    const answered = plugin.send({ method: "create", news: { create: command }, timeoutSeconds });
    const pids =
      String((await line)[0])
        .split(": ")[1]
        ?.split(" ")
        .map(Number) ?? [];
    return { plugin, answered, pids };
  };
  const killed = { code: "UNKNOWN", message: expect.stringMatching(/^signal: killed: running "sleep 600 & echo/) };

  test("when the engine cancels", async () => {
    const { plugin, answered, pids } = await begin();
    await using _ = plugin;
    expect(pids.map(isAlive)).toEqual([true, true]);
    await plugin.cancel();
    expect((await answered).error).toEqual(killed);
    await allEnd(pids);
  });

  test("when its time is over", async () => {
    const { plugin, answered, pids } = await begin(1);
    await using _ = plugin;
    expect((await answered).error).toEqual(killed);
    await allEnd(pids);
  });

  test("when the engine is gone without a word", async () => {
    const { plugin, answered, pids } = await begin();
    await using _ = plugin;
    const exited = once(plugin.process, "exit");
    plugin.process.stdin.destroy();
    await exited;
    expect((await answered).error?.code).toBe("UNAVAILABLE");
    await allEnd(pids);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("when the plugin gets %s", async (signal) => {
    const { plugin, pids, answered } = await begin();
    await using _ = plugin;
    const exited = once(plugin.process, "exit");
    plugin.process.kill(signal);
    await exited;
    await answered;
    await allEnd(pids);
  });

  test("but a process that it left in the background, with streams of its own, lives on", async () => {
    const plugin = await PluginDriver.start(executable, folder, { PATH: "/usr/bin:/bin" });
    const create = "sleep 600 >/dev/null 2>&1 </dev/null & echo $!";
    const { response } = await plugin.send({ method: "create", news: { create } });
    await plugin[Symbol.asyncDispose]();
    const pid = Number(Object(response?.["properties"]).stdout);
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, "SIGKILL");
  });
});

describe("where it differs from the official plugin on purpose", () => {
  const send = async (message: Request) => {
    await using plugin = await PluginDriver.start(executable, folder, { PATH: "/usr/bin:/bin" });
    return await plugin.send(message);
  };

  test("a resource that only the official plugin knows is refused with the remedy", async () => {
    const { error } = await send({ method: "check", token: "command:remote:Command" });
    expect(error).toEqual({
      code: "UNIMPLEMENTED",
      message:
        "command:remote:Command is not served by the stand-in for the command plugin that is installed here, which " +
        "only serves command:local:Command and command:local:run. Use a PULUMI_HOME with the official plugin: " +
        "pulumi plugin install resource command 1.2.1",
    });
  });

  test("secrets side by side, deep in a trigger, all stay secret", async () => {
    const secret = (value: string) => ({
      "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
      value,
    });
    const triggers = [{ deep: { one: secret("1"), two: secret("2") } }];
    const { response } = await send({ method: "check", news: { triggers } });
    expect(response).toEqual({ inputs: { triggers }, failures: [] });
  });

  test("nothing in a list of texts is an error, not a crash", async () => {
    const { response } = await send({ method: "check", news: { interpreter: [null] } });
    const reason = "Field 'interpreter[0]' on 'local.CommandInputs' must be a 'string'; got 'null' instead";
    expect(response?.["failures"]).toEqual([{ property: "interpreter[0]", reason }]);
  });

  test("a line of any length is logged", async () => {
    const { log } = await send({
      method: "create",
      news: { create: "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end" },
    });
    expect(log).toEqual([`info status name: ${"x".repeat(100_000)}`, "info status name: end"]);
  });
});

describe("installation", () => {
  const node = process.execPath;

  test("writes nothing when the same plugin is there, and replaces another version of it", async () => {
    const pulumiHome = join(folder, "again");
    const first = await installPlugin("command", { pulumiHome, node });
    expect(first).toEqual({ folder: join(pulumiHome, "plugins/resource-command-v1.2.1"), changed: true });
    const before = await stat(first.folder);
    expect(await installPlugin("command", { pulumiHome, node })).toEqual({ ...first, changed: false });
    expect((await stat(first.folder)).ino).toBe(before.ino);
    expect((await installPlugin("command", { pulumiHome, node: "/other/node" })).changed).toBe(true);
    expect(await readFile(join(first.folder, "pulumi-resource-command"), "utf8")).toContain("exec '/other/node' ");
  });

  test("two at once leave one whole plugin", async () => {
    const pulumiHome = join(folder, "twice");
    const [first] = await Promise.all([1, 2, 3].map(() => installPlugin("command", { pulumiHome, node })));
    expect(await installPlugin("command", { pulumiHome, node })).toEqual({ folder: first?.folder, changed: false });
  });

  test("refuses the person's own Pulumi home", async () => {
    vi.stubEnv("HOME", folder);
    const refusal = /is your own Pulumi home/;
    await expect(installPlugin("command", { pulumiHome: join(folder, ".pulumi"), node })).rejects.toThrow(refusal);
    await expect(installPlugin("command", { pulumiHome: folder, node, ownPulumiHome: folder })).rejects.toThrow(
      refusal,
    );
    vi.unstubAllEnvs();
  });

  test("does not touch an official plugin", async () => {
    const pulumiHome = join(folder, "official");
    const official = join(pulumiHome, "plugins/resource-command-v1.2.1/pulumi-resource-command");
    await mkdir(join(official, ".."), { recursive: true });
    await writeFile(official, "official");
    await expect(installPlugin("command", { pulumiHome, node })).rejects.toThrow(/is not the stand-in/);
    expect(await readFile(official, "utf8")).toBe("official");
  });
});
