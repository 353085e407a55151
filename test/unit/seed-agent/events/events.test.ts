import { type Attributes, INVALID_SPAN_CONTEXT, type Span, trace } from "@opentelemetry/api";
import { afterEach, expect, test } from "vitest";
import { metrics, ownMetrics } from "../../../../components/seed-agent/program/events/metrics.ts";
import { openEvents } from "../../../../components/seed-agent/program/events/open-events.ts";
import { readSettings } from "../../../../components/seed-agent/program/settings.ts";

const secrets = {
  SEED_CONTROL_TOKEN: "the-control-token-of-it",
  RELEASE_COOKIE: "cookie/with+signs=",
  DATABASE_URL: "postgres://seed:pa%24%24word@db.example/seed",
  CLAUDE_CODE_OAUTH_TOKEN: "line-one-of-the-token\nline-two-of-the-token",
};

function lab() {
  const read = readSettings({ ...secrets, SEED_NAME: "greeter" });
  if ("errors" in read) throw new Error(read.errors.join("\n"));
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const events = openEvents({ settings: read.settings, release: "1.2.3", node: "n1", write });
  const logged = (): unknown[] => lines.map((line) => JSON.parse(line));
  return { events, lines, logged, text: async () => (await events.exposition()).body };
}

/** The samples of `/metrics` as name with labels → value. */
function samples(text: string): Record<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
  );
}

afterEach(() => trace.disable());

test("counts and times hot reloads, by step and outcome", async () => {
  const { events, logged, text } = lab();
  events.hotReload({ version: "v1", step: "check" })({ ok: true });
  const done = events.hotReload({ version: "v1", step: "activate" });
  done({ ok: false, reason: "it does not start" });
  done({ ok: true });
  const found = samples(await text());
  expect(found).toMatchObject({
    'seed_agent_hot_reload_total{step="check",outcome="success"}': 1,
    'seed_agent_hot_reload_total{step="activate",outcome="error"}': 1,
    'seed_agent_hot_reload_duration_seconds_count{step="check"}': 1,
  });
  expect(found).not.toHaveProperty('seed_agent_hot_reload_total{step="activate",outcome="success"}');
  expect(logged()).toMatchObject([
    { message: "hot_reload.start", version: "v1", step: "check", service: "greeter", node: "n1", level: "info" },
    { message: "hot_reload.success" },
    { message: "hot_reload.start" },
    { message: "hot_reload.error", level: "error", reason: "it does not start" },
  ]);
});

test("counts requests, missing credentials and decisions", async () => {
  const { events, logged, text } = lab();
  events.request({ version: "v1", outcome: "ok" }, 0.02);
  events.request({ version: "v2", outcome: "timeout" }, 10);
  events.missingApiKey("claude", "Not logged in");
  events.decision("model:sonnet", "proposed");
  events.decision("owner", "approved");
  expect(samples(await text())).toMatchObject({
    'seed_agent_requests_total{outcome="ok"}': 1,
    'seed_agent_requests_total{outcome="timeout"}': 1,
    'seed_agent_request_duration_seconds_bucket{le="0.05",outcome="ok"}': 1,
    'seed_agent_missing_api_key_total{provider="claude"}': 1,
    'seed_agent_decisions_total{actor="model",action="proposed"}': 1,
    'seed_agent_decisions_total{actor="owner",action="approved"}': 1,
    'seed_agent_log_lines_total{level="error"}': 1,
  });
  expect(logged()).toMatchObject([{ level: "error", message: "missing_api_key", detail: "Not logged in" }]);
});

test("labels have few values, whatever is passed", async () => {
  const { events, text } = lab();
  for (let count = 0; count < 50; count++) {
    events.missingApiKey(`provider-${count}`, "");
    events.decision(`actor-${count}`, `action-${count}`);
    events.request({ version: `v${count}`, outcome: "ok" }, 1);
    events.hotReload({ version: `v${count}`, step: "check" })({ ok: true });
  }
  const own = Object.keys(samples(await text())).filter((name) => name.startsWith("seed_agent_"));
  expect(own.length).toBeLessThan(60);
});

test("reads gauges when the metrics are read, and reports NaN for one that fails", async () => {
  const { events, text } = lab();
  expect(samples(await text())).toMatchObject({ seed_agent_queue_depth: Number.NaN });
  let depth = 3;
  events.gauge("queue_depth", async () => depth);
  events.gauge("cluster_size", () => Promise.reject(new Error("away")));
  expect(samples(await text())).toMatchObject({ seed_agent_queue_depth: 3, seed_agent_cluster_size: Number.NaN });
  depth = 4;
  expect(samples(await text())).toMatchObject({ seed_agent_queue_depth: 4 });
});

test("does not wait for a gauge that never answers", { timeout: 10_000 }, async () => {
  const { events, text } = lab();
  events.gauge("queue_depth", () => new Promise<number>(() => {}));
  expect(samples(await text())).toMatchObject({ seed_agent_queue_depth: Number.NaN });
});

test("two services in one process share no metric", async () => {
  const [one, other] = [lab(), lab()];
  one.events.missingApiKey("codex", "");
  expect(samples(await other.text())).not.toHaveProperty('seed_agent_missing_api_key_total{provider="codex"}');
});

test("metrics() lists exactly the metrics of /metrics", async () => {
  const { events, text } = lab();
  events.hotReload({ version: "v1", step: "check" })({ ok: true });
  const types = [...(await text()).matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    .map(([, name, type]) => `${name} ${type}`)
    .sort();
  const listed = await metrics();
  expect(listed.map(({ name, type }) => `${name} ${type}`).sort()).toEqual(types);
  expect(listed.filter(({ name }) => name.startsWith("seed_agent_"))).toHaveLength(Object.keys(ownMetrics).length);
  expect(listed.find(({ name }) => name === "seed_agent_hot_reload_total")).toEqual({
    ...{ name: "seed_agent_hot_reload_total", type: "counter", labels: ["step", "outcome"] },
    description: "Checks, activations and rollbacks that ended.",
  });
});

test("a log line never contains a secret, in any spelling", () => {
  const { events, lines } = lab();
  const cookie = secrets.RELEASE_COOKIE;
  events.log("error", `failed with ${secrets.SEED_CONTROL_TOKEN}`, {
    ...{ url: secrets.DATABASE_URL, other: "mysql://u:hunter22@db/x", decoded: "pa$$word", cookie },
    ...{ base64: Buffer.from(cookie).toString("base64"), encoded: encodeURIComponent(cookie) },
    ...{ nested: { list: [secrets.CLAUDE_CODE_OAUTH_TOKEN, "line-two-of-the-token"] }, key: "sk-ant-abcdefgh12345" },
    [secrets.SEED_CONTROL_TOKEN]: new Error(secrets.SEED_CONTROL_TOKEN),
  });
  events.hotReload({ version: "v1", step: "check" })({ ok: false, reason: `no ${secrets.SEED_CONTROL_TOKEN}` });
  const all = lines.join("");
  for (const secret of [
    ...[secrets.SEED_CONTROL_TOKEN, cookie, "pa%24%24word", "pa$$word", "hunter22", "line-one", "line-two"],
    ...[Buffer.from(cookie).toString("base64"), encodeURIComponent(cookie), "sk-ant-abc"],
  ]) {
    expect(all).not.toContain(secret);
  }
  expect(all).toContain("mysql://u:***@db/x");
});

test("each line is JSON on one line, whatever it contains", () => {
  const { events, lines, logged } = lab();
  const circular: Record<string, unknown> = { big: 1n, fn: () => {}, text: "a\nb\u001b[31m\u009b\u2028\u202e" };
  circular["self"] = circular;
  const hostile = {
    get boom() {
      throw new Error("boom");
    },
  };
  events.log("info", "a\nb", circular);
  events.log("info", "hostile", hostile);
  events.log("info", "long", { text: "x".repeat(100_000), at: "yesterday", node: "forged", level: "none" });
  for (const line of lines) {
    // biome-ignore lint/complexity/useRegexLiterals: the characters themselves would be hard to see
    expect(line).not.toMatch(new RegExp("[\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f\\u2028-\\u202e]"));
    expect(line.indexOf("\n")).toBe(line.length - 1);
    expect(line.length).toBeLessThan(20_000);
  }
  expect(logged()).toMatchObject([
    { message: "a\nb" },
    { unreadable: expect.stringMatching(/boom/) },
    { node: "n1", level: "info" },
  ]);
});

test("a hot reload is a span with its events, once an SDK is registered", () => {
  const { events } = lab();
  // Before that it is free.
  events.hotReload({ version: "v0", step: "check" })({ ok: true });
  const spans: { name: string; events: string[]; status?: unknown; isOver: boolean; attributes: unknown }[] = [];
  trace.setGlobalTracerProvider({
    getTracer: () => ({
      startSpan(name, options) {
        const span = { name, events: [] as string[], isOver: false, attributes: options?.attributes };
        spans.push(span);
        return inMemory(span);
      },
      startActiveSpan: () => {
        throw new Error("not used");
      },
    }),
  });
  events.hotReload({ version: "v1", step: "activate" })({ ok: true });
  events.hotReload({ version: "v2", step: "activate" })({ ok: false, reason: "slow" });
  expect(spans).toMatchObject([
    {
      ...{ name: "hot_reload", attributes: { version: "v1", step: "activate" }, isOver: true },
      events: ["hot_reload.start", "hot_reload.success", "hot_reload.duration"],
    },
    {
      ...{ status: { code: 2, message: "slow" }, isOver: true },
      events: ["hot_reload.start", "hot_reload.error", "hot_reload.duration"],
    },
  ]);
});

function inMemory(record: { events: string[]; status?: unknown; isOver: boolean }): Span {
  const span: Span = {
    spanContext: () => INVALID_SPAN_CONTEXT,
    setAttribute: () => span,
    setAttributes: (_attributes: Attributes) => span,
    addEvent(name) {
      record.events.push(name);
      return span;
    },
    addLink: () => span,
    addLinks: () => span,
    setStatus(status) {
      record.status = status;
      return span;
    },
    updateName: () => span,
    end() {
      record.isOver = true;
    },
    isRecording: () => true,
    recordException: () => {},
  };
  return span;
}
