import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { clusterName, containerName } from "../../components/seed-agent/docker/names.ts";
import { dockerSeedAgents } from "../../components/seed-agent/docker/provider.ts";
import { SeedAgentError } from "../../components/seed-agent/provider.ts";
import { describeSeedProvider, type SeedProviderLab } from "../contracts/seed-provider.ts";
import { type DockerEngine, dockerEngine } from "../support/docker-engine.ts";
import { freePort } from "../support/free-port.ts";
import { makeSeedBase } from "../support/seed-image.ts";
import { seedSpec } from "../support/seed-spec.ts";

/** No registry is reachable, so the image's base is made from the tests' own; the rest of the image is the real one. */

const main = join(import.meta.dirname, "../support/stand-in-service.ts");
const installation = `seed${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), "seed-docker-"));
const minutes = 60_000;
let engine: DockerEngine;

beforeAll(async () => {
  // A daemon of its own: the base of the image gets the name of the real one.
  engine = await dockerEngine({ isOwn: true });
  await makeSeedBase(engine, main);
}, 5 * minutes);
afterAll(async () => {
  await engine?.end();
  rmSync(folder, { recursive: true, force: true });
});

const inspected = z.array(z.object({ Id: z.string(), Name: z.string(), State: z.object({ StartedAt: z.string() }) }));
const about = z.object({
  started: z.number(),
  node: z.string(),
  secrets: z.array(z.string()),
  secretsMode: z.optional(z.string()),
});
const secrets = {
  RELEASE_COOKIE: `cookie-${randomBytes(16).toString("hex")}`,
  SEED_CONTROL_TOKEN: `token-${randomBytes(16).toString("hex")}`,
  DATABASE_URL: `postgres://seed:${randomBytes(16).toString("hex")}@host.docker.internal/seed`,
};

const provider = (program: string | undefined = main) =>
  dockerSeedAgents({
    env: { ...process.env, ...engine.env },
    healthSeconds: 60,
    ...(program === undefined ? {} : { main: program }),
  });
const lines = async (...args: string[]) => (await engine.docker(...args)).split("\n").filter(Boolean);

async function open(): Promise<SeedProviderLab> {
  const spec = seedSpec({ name: "contract", port: await freePorts(3), mode: "off" });
  const owner = { installation, name: spec.name };
  const own = ["--filter", `label=changelings-seed-name=${spec.name}`];
  const containers = () => lines("ps", "--all", "--quiet", ...own);
  return {
    provider: provider(),
    // Without a CLI of 400 MB.
    spec: { ...spec, env: { SEED_IMPROVE_SECONDS: "600" } },
    options: { installation, folder },
    async kill(node) {
      await engine.docker("kill", containerName(owner, Number(node.split("-").at(-1))));
    },
    async identities() {
      const ids = await containers();
      const found = ids.length === 0 ? [] : inspected.parse(JSON.parse(await engine.docker("inspect", ...ids)));
      return Object.fromEntries(
        found.map(({ Id, Name, State }) => [
          Name.replace(`/changelings-seed-${installation}-`, ""),
          `${Id} ${State.StartedAt}`,
        ]),
      );
    },
    data: async () => (await lines("volume", "ls", "--quiet", ...own)).filter((name) => name.endsWith("-data")).sort(),
    async traces() {
      const ids = await containers();
      const [image = ""] = await lines("ps", "--format", "{{.Image}}", ...own);
      return {
        inspect: await engine.docker("inspect", ...ids),
        image: await engine.docker("image", "inspect", image),
        history: await engine.docker("history", "--no-trunc", image),
        arguments: await engine.docker("exec", ids[0] ?? "", "sh", "-c", "cat /proc/[0-9]*/cmdline"),
        environment: await engine.docker("exec", ids[0] ?? "", "sh", "-c", "cat /proc/[0-9]*/environ"),
      };
    },
    end: async () => {},
  };
}

describeSeedProvider("docker, a real daemon", open, 5 * minutes);

describe("a seed agent in Docker", { timeout: 3 * minutes }, () => {
  const name = "sprout";
  const owner = { installation, name };
  let port: number;
  const spec = (more: Parameters<typeof seedSpec>[0] = {}) => seedSpec({ name, port, mode: "off", ...more });
  const deploy = (declared = spec(), release = "1.0.0", values: Record<string, string> = secrets) =>
    provider().deploy(declared, { installation, folder, spec: declared, release, secrets: values });
  const ask = async (index: number, path = "/about") =>
    about.parse(await (await fetch(`http://127.0.0.1:${port + index}${path}`)).json());
  const inNode = (index: number, ...args: string[]) => engine.docker("exec", containerName(owner, index), ...args);

  beforeAll(async () => {
    port = await freePorts(2);
    await deploy();
  }, 5 * minutes);

  test("answers at each node's own port, with its secrets in a file that only the service can read", async () => {
    for (const index of [0, 1]) {
      expect(await ask(index)).toMatchObject({
        node: `sprout-${index}`,
        secrets: ["DATABASE_URL", "RELEASE_COOKIE", "SEED_CONTROL_TOKEN"],
        secretsMode: "400",
      });
    }
  });

  test("finds all nodes by one name", async () => {
    const program = `require("dns").promises.lookup("${clusterName}", { all: true }).then((all) => console.log(all.length))`;
    for (const index of [0, 1]) expect(await inNode(index, "node", "-e", program)).toBe("2");
  });

  test("is not root, can write only its data and /tmp, and has no capabilities", async () => {
    expect(await inNode(0, "id", "-u")).toBe("10001");
    await inNode(0, "sh", "-c", "touch /data/mine /tmp/mine");
    await expect(inNode(0, "touch", "/opt/seed-agent/mine")).rejects.toThrow("Read-only file system");
    await expect(inNode(0, "touch", "/run/seed-agent/mine")).rejects.toThrow("Read-only file system");
    const status = await inNode(0, "grep", "-E", "^(Cap|NoNewPrivs)", "/proc/self/status");
    expect(status.match(/^Cap\w+:\t0+$/gm)).toHaveLength(5);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  });

  test("can confine a version with bubblewrap, and make no other use of the kernel", async () => {
    const bind = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"];
    const fence = [
      "--unshare-user",
      "--unshare-pid",
      "--unshare-net",
      "--unshare-ipc",
      "--cap-drop",
      "ALL",
      "--clearenv",
    ];
    const inFence = await inNode(
      0,
      "bwrap",
      ...fence,
      ...bind,
      "/usr/local/bin/node",
      "-p",
      "require('fs').readdirSync('/') + ''",
    );
    expect(inFence).toBe("lib,lib64,usr");
    // setns, by which a process enters another's namespaces.
    await expect(inNode(0, "nsenter", "--net=/proc/self/ns/net", "true")).rejects.toThrow("not permitted");
  });

  test("always answers on one node while a release is rolled out", async () => {
    let running = true;
    const gaps: string[] = [];
    const answered: [number, number] = [0, 0];
    const load = (async () => {
      while (running) {
        const both = await Promise.all(
          [0, 1].map((index) =>
            ask(index).then(
              () => index,
              () => undefined,
            ),
          ),
        );
        for (const index of both) if (index !== undefined) answered[index] = (answered[index] ?? 0) + 1;
        if (both.every((index) => index === undefined)) gaps.push(new Date().toISOString());
        await sleep(20);
      }
    })();
    const before = await Promise.all([ask(0), ask(1)]);
    await deploy(spec(), "1.0.1");
    running = false;
    await load;
    expect(gaps).toEqual([]);
    expect(Math.min(...answered)).toBeGreaterThan(0);
    const after = await Promise.all([ask(0), ask(1)]);
    for (const index of [0, 1]) expect(after[index]?.started).toBeGreaterThan(before[index]?.started ?? 0);
    // Its data is the same.
    await inNode(0, "test", "-e", "/data/mine");
  });

  test("returns to the former container if the new one is not healthy, and leaves the other node alone", async () => {
    const before = await Promise.all([ask(0), ask(1)]);
    const sick = spec({ env: { STAND_IN_UNHEALTHY: "true" } });
    const failing = dockerSeedAgents({ env: { ...process.env, ...engine.env }, healthSeconds: 10, main });
    const deployed = failing.deploy(sick, { installation, folder, spec: sick, release: "1.0.2", secrets });
    const error = await deployed.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(SeedAgentError);
    expect(String(error)).toMatch(/node sprout-0: .*the former one runs again. It printed:\nlistens at/s);
    await expect
      .poll(
        () =>
          ask(0).then(
            ({ node }) => node,
            () => "",
          ),
        { timeout: 30_000 },
      )
      .toBe("sprout-0");
    expect((await ask(1)).started).toBe(before[1]?.started);
    const observed = await provider().observe(name, { installation, folder, spec: spec() });
    expect(observed?.release).toBe("1.0.1");
  });

  test("is started again by Docker when its process crashes", async () => {
    const { started } = await ask(0);
    await inNode(0, "sh", "-c", "kill -9 $(pidof node)").catch(() => {});
    await expect
      .poll(
        () =>
          ask(0).then(
            (now) => now.started !== started,
            () => false,
          ),
        { timeout: 30_000 },
      )
      .toBe(true);
  });

  test("reports which node's port another program uses", async () => {
    const [first] = await lines("ps", "--quiet", "--filter", `name=${containerName(owner, 0)}`);
    expect(first).toBeDefined();
    const other = seedSpec({ name: "rival", port, replicas: 1, mode: "off" });
    const deployed = provider().deploy(other, { installation, folder, spec: other, release: "1", secrets });
    await expect(deployed).rejects.toThrow(/node rival-0: .*another program uses the port/s);
    await provider().remove("rival", { installation, folder, destroyData: true });
    expect((await ask(0)).node).toBe("sprout-0");
  });

  test("leaves only its volumes when it is removed", async () => {
    const kept = await provider().remove(name, { installation, folder, spec: spec(), destroyData: false });
    const volumes = [0, 1].map((index) => `${containerName(owner, index)}-data`);
    expect(kept).toEqual(volumes.map((volume) => `the volume ${volume} in Docker`));
    const filter = ["--filter", `label=changelings-seed-name=${name}`];
    expect(await lines("ps", "--all", "--quiet", ...filter)).toEqual([]);
    expect(await lines("network", "ls", "--quiet", ...filter)).toEqual([]);
    expect(await lines("volume", "ls", "--quiet", ...filter)).toEqual(volumes);
    expect(await lines("image", "ls", "--quiet", `changelings-seed`)).toEqual([]);
  });
});

/** @returns the first of several ports in a row */
async function freePorts(count: number): Promise<number> {
  const first = await freePort();
  return first + count > 65_535 ? freePorts(count) : first;
}
