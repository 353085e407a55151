import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Change } from "../../../../components/seed-agent/program/domain.ts";
import { type HealthParts, healthChecks } from "../../../../components/seed-agent/program/health/health.ts";
import { loginProbe } from "../../../../components/seed-agent/program/health/login.ts";
import { seedServer } from "../../../../components/seed-agent/program/server/server.ts";
import { readSettings } from "../../../../components/seed-agent/program/settings.ts";
import { asMetrics, seedParts } from "../../../support/seed-parts.ts";

function lab(parts: Partial<HealthParts> = {}, environment: Record<string, string> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "seed-health-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { improve: _, ...base } = seedParts({
    environment: { SEED_DATA_DIR: folder, SEED_CODE_DIR: folder, ...environment },
  });
  const health = healthChecks({
    ...base,
    pipeline: { lastBeat: () => performance.now() },
    codeStore: { check: async () => {} },
    login: async () => "claude: logged in",
    checkMilliseconds: 200,
    ...parts,
  });
  onTestFinished(() => health.close());
  const found = async (name: string) => {
    const { status, checks } = await health.deep();
    return { status, ...checks.find((check) => check.name === name) };
  };
  return { health, base, found };
}

const change = (fields: Partial<Change>): Change => ({
  ...{ id: "c1", base: "v0", files: {}, summary: "a", answers: "same", state: "checking", activation: "by a person" },
  ...{ author: "owner", submittedAt: "2026-01-01T00:00:00Z", updatedAt: "2026-01-01T00:00:00Z", attempts: 1 },
  ...fields,
});

test("every check passes", async () => {
  const { health } = lab();
  expect(health.quick()).toEqual({ status: "ok", node: "n1", version: "v0" });
  const { status, checks } = await health.deep();
  expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  expect(status).toBe("ok");
  expect(checks.map(({ name }) => name)).toEqual([
    ...["agent", "code store", "database", "queue", "disk", "event loop", "peers", "model", "improver"],
  ]);
});

const fails = (message: string) => () => Promise.reject(new Error(message));

test.each<[string, RegExp, (base: ReturnType<typeof seedParts>) => Partial<HealthParts>]>([
  ["agent", /does not start/, ({ live }) => ({ live: { ...live, problem: () => "v1 does not start" } })],
  ["code store", /read-only/, () => ({ codeStore: { check: fails("read-only file system") } })],
  ["database", /refused/, ({ store }) => ({ store: { ...store, check: fails("connection refused") } })],
  ["database", /no result within 0.2 s/, ({ store }) => ({ store: { ...store, check: () => new Promise(() => {}) } })],
  ["queue", /not started/, () => ({ pipeline: { lastBeat: () => undefined } })],
  ["queue", /silent for 1\d\d s/, () => ({ pipeline: { lastBeat: () => performance.now() - 100_000 } })],
  ["agent's checks", /timeout/, ({ live }) => ({ live: { ...live, checks: fails("timeout") } })],
  [
    "agent: words",
    /lost/,
    ({ live }) => ({ live: { ...live, checks: async () => [{ name: "words", ok: false, detail: "lost" }] } }),
  ],
  [
    "queue",
    /c1 has been checking since/,
    ({ store }) => ({
      store: { ...store, changes: async () => [change({})], now: async () => Date.parse("2026-01-02T00:00:00Z") },
    }),
  ],
])("%s fails: %s", async (name, detail, change) => {
  const { found } = lab(change(seedParts()));
  expect(await found(name)).toMatchObject({ status: "degraded", ok: false, detail: expect.stringMatching(detail) });
  expect(await found(name)).not.toHaveProperty("advisory");
});

test.each<[string, RegExp, Partial<HealthParts>, Record<string, string>]>([
  ["model", /missing_api_key/, { login: fails("missing_api_key: claude is not logged in") }, {}],
  ["improver", /no model/, { improve: { mode: { name: "auto" }, lastProblem: () => "no model" } }, {}],
  [
    "peers",
    /seed\.internal can't be resolved; 10\.0\.0\.2:4000: another cookie; n2: it crashes/,
    {
      cluster: {
        node: "n1",
        peers: () => [{ address: "10.0.0.2:4000", problem: "another cookie" }],
        problem: () => "seed.internal can't be resolved",
        view: () => ({ nodes: [{ id: "n2", active: "v0", problem: "it crashes", seenAt: "" }] }),
      },
    },
    { DNS_CLUSTER_QUERY: "seed.internal" },
  ],
  [
    "peers",
    /another process has the name/,
    { cluster: { ...seedParts().cluster, problem: () => "another process has the name of the node n1" } },
    {},
  ],
])("%s fails, but the node still serves", async (name, detail, parts, environment) => {
  const { found } = lab(parts, environment);
  expect(await found(name)).toMatchObject({
    ...{ status: "degraded", ok: false, advisory: true, detail: expect.stringMatching(detail) },
  });
});

test("the queue may wait while it is paused, and a change for its turn", async () => {
  const now = async () => Date.parse("2026-01-02T00:00:00Z");
  const storeWith = (...changes: Change[]) => {
    const parts = seedParts();
    parts.changes.push(...changes);
    return { ...parts.store, now };
  };
  const waiting = storeWith(change({ state: "queued" }));
  expect(await lab({ store: waiting }).found("queue")).toMatchObject({ ok: true, detail: "1 change to work on" });
  const paused = { ...storeWith(change({})), setting: async () => "true" };
  expect(await lab({ store: paused }).found("queue")).toMatchObject({
    ok: true,
    detail: "paused; 1 change to work on",
  });
});

test("a change that is stuck is found below hundreds that were submitted after it", async () => {
  const parts = seedParts();
  for (let number = 500; number > 1; number--) parts.changes.push(change({ id: `c${number}`, state: "queued" }));
  parts.changes.push(change({}));
  const store = { ...parts.store, now: async () => Date.parse("2026-01-02T00:00:00Z") };
  expect(await lab({ store }).found("queue")).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/^c1 has been checking since/),
  });
});

test("a missing data folder is reported", async () => {
  expect(await lab({}, { SEED_DATA_DIR: "/proc/nothing" }).found("disk")).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/ENOENT/),
  });
});

test("the quick check, too, reports that the node is cut off from the database", async () => {
  const { cluster } = seedParts();
  const { health } = lab({ cluster: { ...cluster, view: () => ({ nodes: [], cutOffSince: 0 }) } });
  expect(health.quick()).toMatchObject({ status: "degraded" });
});

test("texts of the agent's checks are cut, and harmless to a terminal", async () => {
  const { live } = seedParts();
  const own = { name: `\u001b[31m${"n".repeat(1000)}`, ok: true, detail: `\u009b${"d".repeat(10_000)}` };
  const { health } = lab({ live: { ...live, checks: async () => Array(1000).fill(own) } });
  const { checks } = await health.deep();
  expect(checks).toHaveLength(29);
  expect(JSON.stringify(checks).length).toBeLessThan(20_000);
  expect(JSON.stringify(checks)).not.toMatch(/\\u001b|\u009b/);
});

test("calls at the same time share one run", async () => {
  let runs = 0;
  const { health } = lab({
    codeStore: {
      check: async () => {
        runs++;
      },
    },
  });
  await Promise.all([health.deep(), health.deep(), health.deep()]);
  expect(runs).toBe(1);
  await health.deep();
  expect(runs).toBe(2);
});

test("answers 503 only if a check fails that is not advisory", async () => {
  const asked = async (parts: Partial<HealthParts>) => {
    const app = seedServer(seedParts({ health: lab(parts).health }));
    const headers = { host: "localhost", ...asMetrics };
    return (await app.inject({ url: "/health/deep", headers })).statusCode;
  };
  expect(await asked({})).toBe(200);
  expect(await asked({ login: fails("missing_api_key") })).toBe(200);
  expect(await asked({ codeStore: { check: fails("read-only") } })).toBe(503);
});

function probe(environment: Record<string, string>, end: { code: number; stdout?: string; stderr?: string }) {
  const read = readSettings(environment);
  if ("errors" in read) throw new Error(read.errors.join("\n"));
  const runs: { command: string; args: readonly string[]; env: Readonly<Record<string, string>> }[] = [];
  let now = 0;
  const ask = loginProbe(read.settings, {
    now: () => now,
    async run(command, args, { env }) {
      runs.push({ command, args, env });
      return { stdout: "", stderr: "", ...end };
    },
  });
  const wait = (milliseconds: number) => {
    now += milliseconds;
  };
  return { ask, runs, wait };
}

test("starts claude with the service's own credential, and no other variable", async () => {
  const environment = { CLAUDE_CODE_OAUTH_TOKEN: "token", CLAUDE_HOME: "/data/claude", SEED_CONTROL_TOKEN: "control" };
  const stdout = JSON.stringify({ loggedIn: true, authMethod: "oauth_token", email: "me@example.com" });
  const { ask, runs } = probe(environment, { code: 0, stdout });
  expect(await ask("propose")).toBe("claude: logged in (oauth_token)");
  expect(runs).toMatchObject([{ command: "claude", args: ["auth", "status"] }]);
  const names = Object.keys(runs[0]?.env ?? {});
  expect(names).toEqual(expect.arrayContaining(["CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR", "HOME", "PATH"]));
  expect(names.filter((name) => /^SEED|DATABASE|COOKIE|^CLAUDE_HOME$|VITEST/.test(name))).toEqual([]);
});

test("starts codex", async () => {
  const { ask, runs } = probe({ SEED_MODEL: "codex", CODEX_HOME: "/data/codex" }, { code: 0 });
  expect(await ask("auto")).toBe("codex: logged in");
  expect(runs).toMatchObject([{ command: "codex", args: ["login", "status"], env: { CODEX_HOME: "/data/codex" } }]);
  // It looks for a login only, but uses the key.
  const withKey = { SEED_MODEL: "codex", OPENAI_API_KEY: "sk-0123456789" };
  expect(await probe(withKey, { code: 1, stderr: "Not logged in" }).ask("auto")).toBe("codex: has an API key");
  await expect(probe({ SEED_MODEL: "codex" }, { code: 1 }).ask("auto")).rejects.toThrow(/missing_api_key/);
});

test.each([
  [
    { code: 1, stdout: '{"loggedIn":false,"authMethod":"none"}' },
    /missing_api_key: claude is not logged in; set CLAUDE/,
  ],
  [{ code: 0, stdout: "hello" }, /missing_api_key/],
  [{ code: 127, stderr: "spawn claude ENOENT" }, /can't be started: spawn claude ENOENT/],
  [{ code: 124 }, /did not answer within 20 s/],
])("reports the CLI's end %j", async (end, message) => {
  await expect(probe({}, end).ask("propose")).rejects.toThrow(message);
});

test("starts the CLI only once in a while, and never in mode off", async () => {
  const good = probe({}, { code: 0, stdout: '{"loggedIn":true}' });
  expect(await good.ask("off")).toMatch(/not needed/);
  expect(good.runs).toHaveLength(0);
  await Promise.all([good.ask("propose"), good.ask("propose")]);
  good.wait(4 * 60_000);
  await good.ask("propose");
  expect(good.runs).toHaveLength(1);
  good.wait(2 * 60_000);
  await good.ask("propose");
  expect(good.runs).toHaveLength(2);
  const bad = probe({}, { code: 1 });
  await bad.ask("auto").catch(() => {});
  bad.wait(61_000);
  await bad.ask("auto").catch(() => {});
  expect(bad.runs).toHaveLength(2);
});
