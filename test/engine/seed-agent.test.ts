import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stopDaemon } from "../../components/host/supervision/supervise.ts";
import { readSeedAgent } from "../../components/seed-agent/installed.ts";
import { daemonOf, localNode } from "../../components/seed-agent/local/node.ts";
import { cacheFolder } from "../../scripts/stack/setup/cache.mjs";
import { installationOf } from "../../scripts/stack/stack.ts";
import { filesHolding } from "../support/files-holding.ts";
import { freePort } from "../support/free-port.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

let test: TestStack;
let port: number;
const declare = (lines = "", name = "sprout") =>
  test.declare(`[changelings.${name}]\nkind = "seed-agent"\nport = ${port}\n${lines}`);
const up = async () => {
  const { code, stdout, stderr } = await test.up();
  if (code !== 0) throw new Error(stdout + stderr);
  return stdout + stderr;
};
const health = async () => (await fetch(`http://127.0.0.1:${port}/health`)).json();
const installed = (name = "sprout") => {
  const found = readSeedAgent(test.paths, name);
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
};
const pidOf = (name = "sprout") =>
  JSON.parse(readFileSync(join(test.paths.seedAgents, "nodes", name, "1", "daemon.json"), "utf8")).pid;
const outputs = async () => JSON.parse((await test.pulumi(["stack", "output", "changelings", "--json"])).stdout);

beforeAll(async () => {
  test = makeTestStack({ CHANGELINGS_CACHE: cacheFolder() });
  port = await freePort();
});
// Its data is kept when it is removed; its nodes only if a test failed.
afterAll(() => test.remove({ destroy: existsSync(join(test.paths.seedAgents, "nodes")) }));

describe("a seed agent on this machine", () => {
  it("is deployed, answers, and a second up changes nothing", async () => {
    declare();
    await up();
    expect(await health()).toMatchObject({ status: "ok", node: "sprout-1" });
    expect(await outputs()).toEqual({
      sprout: {
        ...{ kind: "seed-agent", provider: "local", enabled: true, mode: "propose", nodes: 1 },
        url: `http://127.0.0.1:${port}`,
      },
    });
    expect(await test.preview()).toEqual({});
  });

  it("has credentials that nothing shows, and that only private files contain", async () => {
    const { controlToken } = installed();
    expect(controlToken).toMatch(/^[\w-]{43}$/);
    const { stdout } = await test.pulumi(["stack", "export"]);
    for (const text of [controlToken, Buffer.from(controlToken).toString("base64").slice(0, 40)]) {
      expect(stdout).not.toContain(text);
      for (const file of filesHolding(text, test.home)) expect(statSync(file).mode & 0o077).toBe(0);
    }
    for (const file of ["cmdline", "environ"])
      expect(readFileSync(`/proc/${pidOf()}/${file}`, "utf8")).not.toContain(controlToken);
  });

  it("shows a changed mode as one update, which restarts it and keeps its credentials", async () => {
    const { controlToken } = installed();
    const before = pidOf();
    declare('mode = "off"');
    expect((await test.change()).ops).toEqual({ "command:local:Command sprout-service": "update" });
    expect(pidOf()).not.toBe(before);
    expect(installed()).toMatchObject({ controlToken, spec: { mode: "off" } });
  });

  it("is started again when its process and its supervisor are gone, with the same credentials", async () => {
    const { controlToken } = installed();
    const node = localNode(test.paths.seedAgents, "sprout", 1);
    await stopDaemon({ ...daemonOf(node, { installation: installationOf(test.stack), version: "" }), home: test.home });
    const { ops, output } = await test.change();
    expect(ops).toEqual({ "command:local:Command sprout-service": "update" });
    expect(output).not.toContain(controlToken);
    expect(await health()).toMatchObject({ status: "ok" });
    expect(installed().controlToken).toBe(controlToken);
    expect(await test.preview()).toEqual({});
  });

  it("keeps its data and its credentials when it is renamed", async () => {
    const { controlToken } = installed();
    writeFileSync(join(test.paths.seedAgents, "data", "sprout", "1", "mark"), "kept");
    declare('renamed_from = "sprout"', "tree");
    await up();
    expect(await health()).toMatchObject({ node: "tree-1" });
    expect(readFileSync(join(test.paths.seedAgents, "data", "tree", "1", "mark"), "utf8")).toBe("kept");
    expect(installed("tree").controlToken).toBe(controlToken);
    expect(readdirSync(join(test.paths.seedAgents, "specs"))).toEqual(["tree.json"]);
    expect(await test.preview()).toEqual({});
  });

  it("gets other credentials when rotate is raised, once", async () => {
    const { controlToken } = installed("tree");
    declare("rotate = 1", "tree");
    expect((await test.change()).ops).toMatchObject({
      "command:local:Command tree-credentials": "update",
      "command:local:Command tree-service": "update",
    });
    expect(installed("tree").controlToken).not.toBe(controlToken);
    expect(await test.preview()).toEqual({});
  });

  it("has several nodes only with the secret of their database", async () => {
    declare('rotate = 1\nreplicas = 2\nsecrets = ["DATABASE_URL"]', "tree");
    const { stdout, stderr, code } = await test.up({ DATABASE_URL: "" });
    expect([code, stdout + stderr]).toEqual([expect.any(Number), expect.stringMatching(/tree needs DATABASE_URL/)]);
    expect(code).not.toBe(0);
  });

  it("is stopped while it is disabled", async () => {
    declare("rotate = 1\nenabled = false", "tree");
    await up();
    await expect(health()).rejects.toThrow();
    expect(await test.preview()).toEqual({});
    declare("rotate = 1", "tree");
    await up();
    expect(await health()).toMatchObject({ status: "ok" });
  });

  it("is removed, its data is kept, and the place of it is printed", async () => {
    test.declare("");
    const data = join(test.paths.seedAgents, "data", "tree");
    expect(await up()).toContain(`its data is kept: ${data}`);
    await expect(health()).rejects.toThrow();
    expect(existsSync(join(data, "1", "mark"))).toBe(true);
    expect(existsSync(join(test.paths.seedAgents, "nodes"))).toBe(false);
    expect(existsSync(join(test.paths.seedAgents, "specs"))).toBe(false);
  });
});
