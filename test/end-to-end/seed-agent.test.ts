/**
 * A seed agent as its owner uses it: a fleet that `up` deployed, and the `changeling` command. One change is rejected, one
 * is activated, and one misbehaves and is rolled back automatically.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { daemonState } from "../../components/host/supervision/state.ts";
import { readSeedAgent } from "../../components/seed-agent/installed.ts";
import { localNode, placeOf } from "../../components/seed-agent/local/node.ts";
import { cacheFolder } from "../../scripts/stack/setup/cache.mjs";
import { makeTestStack, type TestStack } from "../engine/test-stack.ts";
import { freePort } from "../support/free-port.ts";
import { runScript } from "../support/run-script.ts";

let test: TestStack;
let url: string;
let folder: string;
let token: string;

const environmentOf = (pid = 0) => readFileSync(`/proc/${pid}/environ`, "utf8").replaceAll("\0", "\n");
const changeling = (...args: string[]) => runScript("changeling", args, test.env);
const seed = (verb: string, ...args: string[]) => changeling("seed", verb, "sprout", ...args);
const ask = async (path: string) => {
  const response = await fetch(`${url}/agent${path}`, { headers: { authorization: `Bearer ${token}` } });
  return { status: response.status, body: await response.text() };
};
const edit = (change: (text: string) => string) => {
  const file = join(folder, "handle.ts");
  const text = change(readFileSync(file, "utf8"));
  writeFileSync(file, text);
};
const inHandler = (lines: string) =>
  edit((text) => text.replace(/(const handle: Handle = async \(request, context\) => \{\n)/, `$1${lines}\n`));
const active = async () => JSON.parse((await seed("status", "--json")).stdout).active;

beforeAll(async () => {
  test = makeTestStack({ CHANGELINGS_CACHE: cacheFolder() });
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  folder = join(test.home, "sprout");
  test.declare(`[changelings.sprout]
kind = "seed-agent"
port = ${port}
probation_seconds = 12
env = { SEED_CALL_SECONDS = "1" }
`);
  const { code, stdout, stderr } = await test.up();
  if (code !== 0) throw new Error(stdout + stderr);
  token = readSeedAgent(test.paths, "sprout")?.controlToken ?? "";
}, 300_000);
afterAll(() => test.remove(), 120_000);

describe("the owner of a seed agent", () => {
  it("has a node that does not compile its own code, which takes memory that Node never releases", () => {
    // Node writes its cache when a process ends, and the node still runs.
    const { pid } = daemonState(placeOf(localNode(test.paths.seedAgents, "sprout", 1), ""));
    const [, compiled = "none"] = /^NODE_COMPILE_CACHE=(.*)$/m.exec(environmentOf(pid)) ?? [];
    expect(readdirSync(join(compiled, "daemons")).length).toBeGreaterThan(0);
    expect(readdirSync(compiled, { recursive: true }).length).toBeGreaterThan(200);
  });

  it("sees what it runs, and gets its sources", async () => {
    // Recorded, and replayed to each change.
    expect(await ask("/")).toEqual({ status: 200, body: "I am a seed agent.\n" });
    expect((await changeling("list")).stdout).toMatch(/sprout +v0 +1 +propose +empty/);
    expect((await seed("status")).stdout).toMatch(/^sprout runs v0\nmode: +propose/);
    const checkout = await seed("checkout", folder);
    expect(checkout).toMatchObject({ code: 0, stdout: expect.stringContaining("handle.test.ts, handle.ts") });
    expect(await seed("submit", folder, "--summary", "Nothing")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/nothing to submit: .* has the sources of v0/),
    });
    expect(await changeling("seed", "status", "sprot")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/did you mean sprout\?/),
    });
  });

  it("is refused a change that fails the tests of the version before, with each step", async () => {
    edit((text) => text.replace("I am a seed agent.", "I am something else."));
    writeFileSync(join(folder, "handle.test.ts"), 'import { test } from "seed";\ntest("nothing", () => {});\n');
    const { code, stdout, stderr } = await seed("submit", folder, "--summary", "Say something else", "--wait");
    expect(stderr).toMatch(/c1 is submitted\n.*passed {2}types.*failed {2}former tests.*c1 is rejected/s);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^c1 is rejected: former tests/)]);
    expect(await active()).toBe("v0");
  });

  it("approves a change that passed, which is then activated", async () => {
    expect((await seed("checkout", folder, "--force")).code).toBe(0);
    inHandler('  if (request.path === "/more") return { status: 200, body: "more" };');
    const submitted = await seed("submit", folder, "--summary", "Answer /more", "--wait");
    expect(submitted).toMatchObject({ code: 0, stdout: expect.stringMatching(/^c2 passed its checks, and waits/) });
    const shown = await seed("show", "c2");
    expect(shown.stdout).toMatch(/passed {2}replay.*\+ {2}if \(request\.path === "\/more"\)/s);
    const approved = await seed("approve", "c2", "--reason", "Looks good", "--wait");
    expect(approved).toMatchObject({ code: 0, stdout: "c2 is active: sprout runs v1\n" });
    expect(await ask("/more")).toEqual({ status: 200, body: "more" });
  });

  it("sees one that misbehaves rolled back automatically, while no client notices", async () => {
    expect((await seed("checkout", folder, "--force")).code).toBe(0);
    edit((text) => text.replace("const handle: Handle", "let count = 0;\nconst handle: Handle"));
    inHandler('  count += 1;\n  if (count > 30) throw new Error("a bug");');
    expect((await seed("submit", folder, "--summary", "Count", "--wait")).code).toBe(0);
    const wrong: string[] = [];
    let isOver = false;
    const clients = [1, 2].map(async () => {
      while (!isOver) {
        const { status, body } = await ask("/more");
        if (status !== 200) wrong.push(`${status} ${body}`);
        await sleep(10);
      }
    });
    const approved = await seed("approve", "c3", "--wait");
    isOver = true;
    await Promise.all(clients);
    expect(approved).toMatchObject({ code: 1, stdout: expect.stringMatching(/^c3 is rolled back: /) });
    expect(wrong).toEqual([]);
    expect(await active()).toBe("v1");
  });

  it("finds every decision in the audit log, and every event in the log", async () => {
    const entries = JSON.parse((await seed("audit", "--json")).stdout);
    const actions = entries.map(({ change, action }: Record<string, string>) => `${change} ${action}`).toReversed();
    expect(actions).toEqual([
      ...["c1 submitted", "c1 rejected"],
      ...["c2 submitted", "c2 checked", "c2 approved", "c2 activated"],
      ...["c3 submitted", "c3 checked", "c3 approved", "c3 rolling-back", "c3 rolled-back"],
    ]);
    const changes = await seed("changes");
    expect(changes.stdout).toMatch(/c3 +rolled-back.*c2 +active.*c1 +rejected/s);
    const log = await changeling("logs", "sprout");
    expect(log.code).toBe(0);
    expect(log.stdout).not.toContain(token);
    const doctor = JSON.parse((await changeling("doctor", "--json")).stdout);
    expect(doctor).toContainEqual(expect.objectContaining({ name: "seed agent sprout", status: "ok" }));
  });

  it("rolls back by hand, and pauses it", async () => {
    expect(await seed("rollback", "--wait")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/sprout runs v0/),
    });
    expect((await ask("/more")).status).toBe(404);
    expect((await seed("pause")).stdout).toBe("sprout is paused: it activates nothing\n");
    expect((await seed("resume")).stdout).toBe("sprout activates changes again\n");
    expect((await seed("versions")).stdout).toMatch(/v1/);
    expect((await seed("open")).stdout).toBe(`${url}\n`);
  });
});
