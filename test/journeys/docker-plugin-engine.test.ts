import { randomBytes } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { PluginStack } from "../engine/plugin-stack.ts";
import { withDocker } from "../support/with-docker.ts";

const secret = "a-secret-that-must-not-be-seen";
const mark = `docker-stack-${randomBytes(4).toString("hex")}`;

/** A volume, and a container that has it at /data. */
const things = (name: string, image: string) => {
  const data = { name: `${mark}-${name}-data`, labels: [{ label: "purpose", value: "test" }] };
  const box = {
    name: `${mark}-${name}`,
    image,
    command: ["tail", "-f", "/dev/null"],
    envs: ["GREETING=hello"],
    secrets: [`TOKEN=${secret}`],
    mounts: [{ type: "volume", source: data.name, target: "/data" }],
    networkMode: "none",
  };
  return { data, box };
};

await withDocker("the stand-in for the docker plugin, with the real engine", ({ docker, env, baseImage, end }) => {
  test("create, change in place and replace", async () => {
    await using stack = await PluginStack.create("docker", env);
    const { data, box } = things("changing", baseImage);
    const inspect = (format: string) => docker("inspect", "--format", format, box.name);

    await stack.declare({ data, box });
    await stack.up();
    const environment: unknown = JSON.parse(await inspect("{{json .Config.Env}}"));
    expect(environment).toEqual(expect.arrayContaining(["GREETING=hello", `TOKEN=${secret}`]));
    await docker("exec", box.name, "sh", "-c", "echo kept >/data/file");
    expect(await stack.kept()).not.toContain(secret);
    const id = await inspect("{{.Id}}");

    await stack.declare({ data, box: { ...box, restart: "always" } });
    expect(await stack.up()).toContain("~ 1 updated");
    expect(await inspect("{{.Id}} {{.HostConfig.RestartPolicy.Name}}")).toBe(`${id} always`);

    const labels = [{ label: "a", value: "b" }];
    await stack.declare({ data, box: { ...box, restart: "always", envs: ["GREETING=bye"], labels } });
    expect(await stack.preview()).toEqual({ box: "replace envs[0] labels" });
    const output = await stack.up();
    expect(output).toContain("+-1 replaced");
    expect(output).not.toContain(secret);
    expect(await inspect("{{.Id}}")).not.toBe(id);
    expect(await docker("exec", box.name, "cat", "/data/file")).toBe("kept");
  });

  test("nothing to do, drift and destroy", async () => {
    await using stack = await PluginStack.create("docker", env);
    const { data, box } = things("lost", baseImage);
    await stack.declare({ data, box });
    await stack.up();
    await stack.succeed("preview", "--expect-no-changes");

    await docker("rm", "--force", box.name);
    expect(await stack.succeed("refresh", "--yes", "--skip-preview")).toContain("- 1 deleted");
    expect(await stack.up()).toContain("+ 1 created");

    await stack.succeed("destroy", "--yes", "--skip-preview");
    const lists = [
      ["ps", "--all"],
      ["volume", "ls"],
    ].map((list) => docker(...list, "-q", "--filter", `name=${box.name}`));
    expect(await Promise.all(lists)).toEqual(["", ""]);
  });

  afterAll(async () => {
    await end(mark);
  });
});
