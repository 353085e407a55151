import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { askedPlugin, compareAnswers, container, volume } from "../engine/docker-plugin-answers.ts";
import { askLifecycle } from "../engine/docker-plugin-fixtures.ts";
import { PluginDriver } from "../engine/plugin-driver.ts";
import { withDocker } from "../support/with-docker.ts";

await withDocker("the stand-in for the docker plugin", (engine) => {
  const asked = askedPlugin();
  afterAll(() => engine.end());

  describe("answers as the official plugin did", () => {
    compareAnswers("lifecycle", () => askLifecycle(asked.executable, engine));
  });

  const { docker, env, baseImage } = engine;
  const mark = `docker-plugin-own-${process.pid}`;
  const defaults = { restart: "no", networkMode: "none", start: true, mustRun: true, waitTimeout: 60 };
  const news = { ...defaults, name: mark, image: baseImage, removeVolumes: true };

  test("no input is in an argument list", async () => {
    const log = join(asked.folder, "arguments");
    const { PATH = "" } = process.env;
    const clients = await asked.clientThat(`echo "$@" >>'${log}'`, `PATH='${PATH}' exec docker "$@"`);
    await using plugin = await PluginDriver.start(asked.executable, asked.folder, {
      PATH: `${clients}:${PATH}`,
      ...env,
    });
    const envs = ["TOKEN=a-secret\nof two lines"];
    const inputs = { ...news, command: ["tail", "-f", "/dev/null"], envs };
    const { response } = await plugin.send({ method: "create", token: container, news: inputs });
    const id = String(response?.["id"]);
    expect(JSON.parse(await docker("inspect", "--format", "{{json .Config.Env}}", id))).toEqual(
      expect.arrayContaining(envs),
    );
    await plugin.send({ method: "delete", token: container, id, olds: {} });
    expect(new Set((await readFile(log, "utf8")).trim().split("\n"))).toEqual(new Set(["system dial-stdio"]));
  });

  test("a container that does not start is not left behind", async () => {
    await using plugin = await PluginDriver.start(asked.executable, asked.folder, {
      PATH: process.env["PATH"] ?? "",
      ...env,
    });
    const command = ["/no/such/program"];
    const { error } = await plugin.send({ method: "create", token: container, news: { ...news, command } });
    expect(error?.message).toMatch(/^Unable to start container: Error response from daemon: .*\/no\/such\/program/);
    expect(await docker("ps", "--all", "--quiet", "--filter", `name=${mark}`)).toBe("");
  });

  test("Cancel ends the wait for a volume that is in use", async () => {
    const name = `${mark}-volume`;
    await using plugin = await PluginDriver.start(asked.executable, asked.folder, {
      PATH: process.env["PATH"] ?? "",
      ...env,
    });
    await plugin.send({ method: "create", token: volume, news: { name } });
    const user = await docker("create", "--volume", `${name}:/data`, baseImage, "true");
    try {
      const deletion = plugin.send({ method: "delete", token: volume, id: name, olds: {} });
      await plugin.cancel();
      expect((await deletion).error).toEqual({ code: "CANCELLED", message: "canceled" });
    } finally {
      await docker("rm", user);
    }
    await plugin.send({ method: "read", token: volume, id: name, olds: {} });
    await docker("volume", "rm", name);
  });
});
