import { randomBytes } from "node:crypto";
import { connect, createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSeedAgent, type SeedClient } from "../../components/seed-agent/client.ts";
import { containerName } from "../../components/seed-agent/docker/names.ts";
import { readSeedAgent } from "../../components/seed-agent/installed.ts";
import { installationOf } from "../../scripts/stack/stack.ts";
import { makeTestStack, type TestStack } from "../engine/test-stack.ts";
import { type DockerEngine, dockerEngine } from "../support/docker-engine.ts";
import { filesHolding } from "../support/files-holding.ts";
import { freePort } from "../support/free-port.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import { makeSeedBase } from "../support/seed-image.ts";
import { driftOf } from "../support/web-stack.ts";

/** The real image on a base of the tests' own, two nodes with a real PostgreSQL, deployed by `pulumi up`. */

const minutes = 60_000;
const name = "sprout";
let engine: DockerEngine;
let stack: TestStack;
let postgres: Postgres;
let gateway: Server;
let port: number;
let databaseUrl: string;
let clients: readonly SeedClient[];

beforeAll(async () => {
  engine = await dockerEngine({ isOwn: true });
  await makeSeedBase(engine);
  postgres = await startPostgres();
  // PostgreSQL is on loopback, which containers don't reach.
  const database = new URL(await postgres.database());
  const target = Number(database.port);
  gateway = createServer((socket) => {
    const upstream = connect(target, "127.0.0.1");
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const)
      one.on("error", () => other.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  const address = await engine.docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}");
  await new Promise<void>((resolve) => gateway.listen(0, address, resolve));
  const bound = gateway.address();
  database.hostname = "host.docker.internal";
  database.port = String(bound !== null && typeof bound === "object" ? bound.port : 0);
  databaseUrl = database.href;
  port = await freePort();
  stack = makeTestStack({ ...engine.env, DATABASE_URL: databaseUrl });
}, 5 * minutes);
afterAll(async () => {
  await stack?.remove();
  await engine?.end();
  gateway?.close();
  await postgres?.close();
});

const owner = () => ({ installation: installationOf(stack.stack), name });
const declare = (...more: string[]) => {
  const lines = [`[changelings.${name}]`, 'kind = "seed-agent"', 'provider = "docker"', "replicas = 2"];
  const own = [`port = ${port}`, 'mode = "off"', "probation_seconds = 2", 'secrets = ["DATABASE_URL"]'];
  stack.declare([...lines, ...own, ...more, ""].join("\n"));
};
const up = async () => {
  const { code, stdout, stderr } = await stack.up();
  expect(code, stdout + stderr).toBe(0);
  return stdout + stderr;
};
const statuses = () => Promise.all(clients.map((client) => client.status()));
const ofAgent = (what: string[]) => async () =>
  (await engine.docker(...what, "--filter", `label=changelings-seed-name=${name}`)).split("\n").filter(Boolean).sort();

test("two nodes are deployed, confine their versions, and find each other", { timeout: 5 * minutes }, async () => {
  declare();
  await up();
  const token = readSeedAgent(stack.paths, name)?.controlToken ?? "";
  clients = [0, 1].map((index) => openSeedAgent({ url: `http://127.0.0.1:${port + index}`, token }));
  for (const status of await statuses()) {
    expect(status).toMatchObject({ active: "v0", store: "postgres", fence: { name: "bubblewrap" } });
  }
  await expect
    .poll(async () => (await clients[0]?.health())?.checks.find((each) => each.name === "peers")?.detail, {
      timeout: minutes,
    })
    .toBe("1 peer");
  expect(await stack.preview()).toEqual({});
});

test("a change that was submitted to one node runs on both", { timeout: 3 * minutes }, async () => {
  const [first, second] = clients;
  const sources: Record<string, string> = (await first?.version("v0"))?.sources ?? {};
  const handle = (sources["handle.ts"] ?? "").replace("I am a seed agent.", "I am a seed agent in Docker.");
  const tests = (sources["handle.test.ts"] ?? "").replace("/seed agent/", "/seed agent in Docker/");
  const files = { "handle.ts": handle, "handle.test.ts": tests };
  const change = await first?.submit({ files, summary: "Say where", answers: "may differ" });
  const state = async () => (await second?.change(change?.id ?? ""))?.state;
  await expect.poll(state, { timeout: minutes, interval: 300 }).toBe("waiting");
  await second?.approve(change?.id ?? "");
  await expect.poll(state, { timeout: minutes, interval: 300 }).toBe("active");
  await expect
    .poll(async () => (await statuses()).map(({ active }) => active), { timeout: minutes, interval: 300 })
    .toEqual(["v1", "v1"]);
});

test("a killed node is drift, and `up` repairs it with the others' version", {
  timeout: 3 * minutes,
}, async () => {
  await engine.docker("kill", containerName(owner(), 1));
  expect((await driftOf(stack, `${name}-service`)).join()).toContain("node sprout-1 is not healthy");
  await up();
  await expect
    .poll(async () => (await statuses()).map(({ active }) => active), { timeout: minutes, interval: 300 })
    .toEqual(["v1", "v1"]);
  expect(await stack.preview()).toEqual({});
});

test("an update replaces one node after the other, and one always answers", { timeout: 5 * minutes }, async () => {
  let running = true;
  const gaps: string[] = [];
  const load = (async () => {
    while (running) {
      const answers = await Promise.all(
        [0, 1].map((index) =>
          fetch(`http://127.0.0.1:${port + index}/health`).then(
            ({ status }) => status,
            () => 0,
          ),
        ),
      );
      if (!answers.includes(200)) gaps.push(`${new Date().toISOString()} ${answers}`);
      await sleep(20);
    }
  })();
  declare("changes_per_day = 1");
  await up();
  running = false;
  await load;
  expect(gaps).toEqual([]);
  for (const { active, budget } of await statuses()) expect([active, budget.changesPerDay]).toEqual(["v1", 1]);
});

test("no secret is in the state, in Docker's records, or in a file that others can read", {
  timeout: minutes,
}, async () => {
  const { stdout: state } = await stack.pulumi(["stack", "export"]);
  const inspected = await engine.docker("inspect", ...[0, 1].map((index) => containerName(owner(), index)));
  const password = new URL(databaseUrl).password;
  const token = readSeedAgent(stack.paths, name)?.controlToken ?? randomBytes(8).toString("hex");
  for (const secret of [password, token]) {
    expect(state).not.toContain(secret);
    expect(inspected).not.toContain(secret);
    expect(filesHolding(secret, stack.home).every((file) => file.includes(`/${name}.json`))).toBe(true);
  }
});

test("is removed, except its volumes, and runs the same version when it is deployed again", {
  timeout: 5 * minutes,
}, async () => {
  const volumes = [0, 1].map((index) => `${containerName(owner(), index)}-data`);
  stack.declare("");
  expect(await up()).toContain(`its data is kept: the volume ${volumes[0]} in Docker`);
  expect(await ofAgent(["ps", "--all", "--quiet"])()).toEqual([]);
  expect(await ofAgent(["volume", "ls", "--quiet"])()).toEqual(volumes);
  declare("destroy_data = true");
  await up();
  const token = readSeedAgent(stack.paths, name)?.controlToken ?? "";
  clients = [0, 1].map((index) => openSeedAgent({ url: `http://127.0.0.1:${port + index}`, token }));
  expect((await statuses()).map(({ active }) => active)).toEqual(["v1", "v1"]);
  stack.declare("");
  await up();
  expect(await ofAgent(["volume", "ls", "--quiet"])()).toEqual([]);
});
