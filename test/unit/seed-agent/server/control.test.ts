import { expect, test } from "vitest";
import { seedServer } from "../../../../components/seed-agent/program/server/server.ts";
import { StoreUnavailable } from "../../../../components/seed-agent/program/store/store.ts";
import { asMetrics, asOwner, seedParts } from "../../../support/seed-parts.ts";

const host = "127.0.0.1:4000";

function lab(options: Parameters<typeof seedParts>[0] = {}) {
  const parts = seedParts(options);
  const app = seedServer(parts);
  const call = async (
    method: "GET" | "POST" | "DELETE" | "OPTIONS" | "HEAD",
    url: string,
    { body, headers = asOwner }: { body?: object | string; headers?: Record<string, string> } = {},
  ) => {
    const response = await app.inject({
      ...{ method, url, headers: { host, ...headers } },
      ...(body === undefined ? {} : { payload: body }),
    });
    return { response, status: response.statusCode, body: response.body === "" ? undefined : parsed(response.body) };
  };
  return { app, parts, call };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const submission = { files: { "handle.ts": "export default () => ({ status: 200 });\n" }, summary: "Be shorter" };

test("accepts a change, and shows it with its diff", async () => {
  const { call } = lab();
  const made = await call("POST", "/control/changes", { body: submission });
  expect(made).toMatchObject({ status: 201, body: { id: "c1", author: "owner", answers: "same", state: "queued" } });
  expect(made.response.headers["location"]).toBe("/control/changes/c1");
  expect(await call("GET", "/control/changes/c1")).toMatchObject({ status: 200, body: { summary: "Be shorter" } });
  expect(await call("GET", "/control/changes/c1/diff")).toMatchObject({
    body: { diff: expect.stringMatching(/^---/) },
  });
  expect(await call("GET", "/control/changes?state=queued&limit=1")).toMatchObject({
    body: { changes: [{ id: "c1" }] },
  });
  expect(await call("GET", "/control/changes?state=active")).toMatchObject({ body: { changes: [] } });
});

test("a change of the owner still waits for an approval", async () => {
  const { call } = lab();
  expect(await call("POST", "/control/changes", { body: submission })).toMatchObject({
    body: { activation: "by a person" },
  });
});

test.each(["approve", "reject"] as const)("%s works with a reason, with {}, and without a body", async (verb) => {
  const { call, parts } = lab();
  await call("POST", "/control/changes", { body: submission });
  const state = verb === "approve" ? "approved" : "rejected";
  const url = `/control/changes/c1/${verb}`;
  expect(await call("POST", url, { body: { reason: "It is good." } })).toMatchObject({ status: 200, body: { state } });
  expect(parts.changes[0]?.reason).toBe("It is good.");
  expect(await call("POST", url, { body: {} })).toMatchObject({ status: 200 });
  expect(await call("POST", url)).toMatchObject({ status: 200 });
  const typed = { ...asOwner, "content-type": "application/json" };
  expect(await call("POST", url, { headers: typed })).toMatchObject({ status: 200 });
});

test("shows versions, v0 too", async () => {
  const { call } = lab();
  const list = await call("GET", "/control/versions");
  expect(list).toMatchObject({ status: 200, body: { versions: [{ id: "v0" }] } });
  expect(list.response.body).not.toContain("bundle");
  expect(await call("GET", "/control/versions/v0")).toMatchObject({ body: { id: "v0", sources: expect.anything() } });
});

test("activates an old version, and rolls back", async () => {
  const { call } = lab();
  expect(await call("POST", "/control/versions/v0/activate")).toMatchObject({ status: 200, body: { id: "c1" } });
  expect(await call("POST", "/control/rollback")).toMatchObject({ status: 200, body: { id: "c2" } });
  expect(await call("POST", "/control/versions/v7/activate")).toMatchObject({
    status: 404,
    body: { code: "not found" },
  });
});

test("pauses and resumes", async () => {
  const { call } = lab();
  expect(await call("GET", "/control/status")).toMatchObject({
    status: 200,
    body: { paused: false, release: "1.2.3" },
  });
  expect(await call("POST", "/control/pause")).toMatchObject({ body: { paused: true } });
  expect(await call("POST", "/control/resume")).toMatchObject({ body: { paused: false } });
});

test("explains why it can't improve itself", async () => {
  const { call } = lab();
  expect(await call("POST", "/control/improve")).toMatchObject({ status: 503, body: { code: "unavailable" } });
});

test("asks for one proposal", async () => {
  const goals: unknown[] = [];
  const { call } = lab({
    improve: {
      mode: { name: "propose" },
      budget: async () => ({ changesToday: 1, changesPerDay: 5, usdToday: 0.5, usdPerDay: 5 }),
      improveNow: async (goal, by) => {
        goals.push([goal, by]);
        return { outcome: "nothing", reason: "There is nothing to improve." };
      },
    },
  });
  expect(await call("POST", "/control/improve", { body: { goal: "Be kind" } })).toMatchObject({
    body: { outcome: "nothing" },
  });
  expect(goals).toEqual([["Be kind", "owner"]]);
  expect(await call("GET", "/control/status")).toMatchObject({ body: { mode: "propose", budget: { usdToday: 0.5 } } });
});

test("shows the audit log, page by page", async () => {
  const { call } = lab();
  for (let count = 0; count < 3; count++) await call("POST", "/control/changes", { body: submission });
  expect(await call("GET", "/control/audit?limit=2")).toMatchObject({
    body: { entries: [{ number: 3 }, { number: 2 }] },
  });
  expect(await call("GET", "/control/audit?before=2")).toMatchObject({ body: { entries: [{ number: 1 }] } });
  expect(await call("GET", "/control/audit?change=c2")).toMatchObject({ body: { entries: [{ change: "c2" }] } });
});

test.each([
  ["POST", "/control/changes", { files: {}, summary: "" }, 400, /body summary/],
  ["POST", "/control/changes", { files: {}, summary: "a", extra: 1 }, 400, /extra/],
  ["POST", "/control/changes", "{", 400, /JSON/],
  ["POST", "/control/changes", '{"__proto__":{"x":1},"files":{},"summary":"a"}', 400, /./],
  ["POST", "/control/changes", { ...submission, base: "v9" }, 409, /v0 is active/],
  ["POST", "/control/changes/c1/approve", { reason: 5 }, 400, /body reason/],
  ["GET", "/control/changes?limit=0", undefined, 400, /querystring limit/],
  ["GET", "/control/changes?limit=2000", undefined, 400, /limit/],
  ["GET", "/control/changes?state=lost", undefined, 400, /state/],
  ["GET", "/control/changes/..%2fstatus", undefined, 400, /params id/],
  ["GET", "/control/changes/c9", undefined, 404, /no change c9/],
  ["GET", "/control/versions/v9", undefined, 404, /no version v9/],
  ["GET", "/control/versions/c1", undefined, 400, /params id/],
  ["GET", "/control/nothing", undefined, 404, /openapi/],
  ["GET", "/nothing", undefined, 404, /openapi/],
  ["DELETE", "/control/changes", undefined, 405, /GET, HEAD, POST/],
  ["GET", "/control/rollback", undefined, 405, /Allowed are POST/],
  ["POST", "/health", undefined, 405, /GET/],
] as const)("%s %s with %j is %i", async (method, url, body, status, message) => {
  const { call } = lab();
  const json = { ...asOwner, "content-type": "application/json" };
  const result = await call(method, url, body === undefined ? {} : { body, headers: json });
  expect(result).toMatchObject({ status, body: { code: expect.any(String), message: expect.stringMatching(message) } });
  expect(result.response.headers["content-type"]).toBe("application/json; charset=utf-8");
});

test("answers OPTIONS with the methods, and no CORS", async () => {
  const { call } = lab();
  const { response } = await call("OPTIONS", "/control/changes", { headers: {} });
  expect(response.statusCode).toBe(204);
  expect(response.headers["allow"]).toBe("GET, HEAD, POST, OPTIONS");
  expect(Object.keys(response.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
});

test("answers HEAD as GET, without a body", async () => {
  const { call } = lab();
  expect(await call("HEAD", "/health")).toMatchObject({ status: 200, body: undefined });
  expect(await call("HEAD", "/control/status", { headers: {} })).toMatchObject({ status: 401 });
});

test.each(["GET /control/status", "POST /control/changes", "POST /control/pause", "GET /control/audit"])(
  "%s needs the control token",
  async (route) => {
    const [method, url] = route.split(" ") as ["GET" | "POST", string];
    const { call } = lab();
    for (const headers of [{}, asMetrics, { authorization: "Bearer wrong" }, { authorization: "Basic eDp5" }]) {
      const result = await call(method, url, { headers: { ...headers } as Record<string, string> });
      expect(result).toMatchObject({ status: 401, body: { code: "unauthorized" } });
      expect(result.response.headers["www-authenticate"]).toMatch(/^Bearer/);
    }
  },
);

test("rejects a request without the token before it reads the body", async () => {
  const { call, parts } = lab();
  expect(await call("POST", "/control/changes", { headers: {}, body: "{" })).toMatchObject({ status: 401 });
  expect(parts.changes).toEqual([]);
});

test.each([
  ["GET /health/deep", {}, 401],
  ["GET /metrics", {}, 401],
  ["GET /metrics", asMetrics, 200],
  ["GET /health/deep", asMetrics, 200],
  ["GET /metrics", asOwner, 200],
  ["GET /health", {}, 200],
  ["GET /openapi.json", {}, 200],
  ["GET /agent/", {}, 401],
  ["GET /agent/", asMetrics, 401],
  ["GET /agent/", asOwner, 200],
] as const)("%s with %j is %i", async (route, headers, status) => {
  const [method, url] = route.split(" ") as ["GET", string];
  const { call } = lab();
  expect(await call(method, url, { headers: { ...headers } })).toMatchObject({ status });
});

test("can make metrics and the agent public", async () => {
  const { call } = lab({ environment: { SEED_METRICS_PUBLIC: "true", SEED_AGENT_PUBLIC: "true" } });
  for (const url of ["/metrics", "/health/deep", "/agent/"]) {
    expect(await call("GET", url, { headers: {} })).toMatchObject({ status: 200 });
  }
  expect(await call("GET", "/control/status", { headers: {} })).toMatchObject({ status: 401 });
});

test("has no control endpoints without a control token, or with a short one", async () => {
  for (const [token, reason] of [
    ["", /SEED_CONTROL_TOKEN is not set/],
    ["short", /shorter than 16/],
  ] as const) {
    const { call } = lab({ environment: { SEED_CONTROL_TOKEN: token } });
    const headers = { authorization: `Bearer ${token}` };
    const expected = { status: 503, body: { code: "unavailable", message: expect.stringMatching(reason) } };
    expect(await call("GET", "/control/status", { headers })).toMatchObject(expected);
    expect(await call("GET", "/agent/", { headers })).toMatchObject(expected);
    expect(await call("GET", "/metrics", { headers: asMetrics })).toMatchObject({ status: 200 });
  }
});

test("limits wrong tokens, but never the right one", async () => {
  const { call, parts } = lab();
  const wrong = { authorization: "Bearer wrong" };
  const statuses = [];
  for (let count = 0; count < 12; count++) {
    statuses.push((await call("GET", "/control/status", { headers: wrong })).status);
  }
  expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
  const { response } = await call("GET", "/control/status", { headers: wrong });
  expect(Number(response.headers["retry-after"])).toBeGreaterThan(0);
  expect(await call("GET", "/control/status")).toMatchObject({ status: 200 });
  expect(parts.logged.filter(({ level }) => level === "warn")).toHaveLength(10);
});

test("reports a database that can't be reached, to be tried again", async () => {
  const parts = seedParts();
  const down = () => Promise.reject(new StoreUnavailable("The database can't be reached: connection refused."));
  const { call } = lab({ store: { ...parts.store, changes: down } });
  const result = await call("GET", "/control/changes");
  expect(result).toMatchObject({
    status: 503,
    body: { code: "unavailable", message: expect.stringMatching(/refused/) },
  });
  expect(result.response.headers["retry-after"]).toBe("5");
});

test("shows internal errors only in the log", async () => {
  const parts = seedParts();
  const broken = () => Promise.reject(new Error("at /srv/secret.ts: password=hunter2"));
  const { call, parts: used } = lab({ store: { ...parts.store, changes: broken } });
  const result = await call("GET", "/control/changes");
  expect(result).toMatchObject({ status: 500, body: { code: "internal" } });
  expect(result.response.body).not.toMatch(/hunter2|secret|\.ts/);
  expect(used.logged).toMatchObject([
    { level: "error", fields: { error: expect.stringMatching(/hunter2/), route: "/control/changes" } },
  ]);
});

test("an answer without the form of the API is an error of the service", async () => {
  const parts = seedParts();
  const { call } = lab({ pipeline: { ...parts.pipeline, diff: async () => 5 as unknown as string } });
  expect(await call("GET", "/control/changes/c1/diff")).toMatchObject({ status: 500, body: { code: "internal" } });
});

test.each([
  [{ host: "evil.example:4000" }],
  [{ host: "localhost.evil.example" }],
  [{ host: "127.0.0.1.evil.example" }],
  [{ host, origin: "http://evil.example" }],
  [{ host, origin: "null" }],
  [{ host, origin: "http://127.0.0.1:5000" }],
  [{ host, "sec-fetch-site": "cross-site" }],
  [{ host, "sec-fetch-site": "same-site" }],
])("refuses a page of another site: %j", async (headers: Record<string, string>) => {
  const { call, parts } = lab({ environment: { SEED_AGENT_PUBLIC: "true", SEED_METRICS_PUBLIC: "true" } });
  for (const url of ["/control/status", "/agent/", "/metrics"]) {
    expect(await call("GET", url, { headers: { ...asOwner, ...headers } })).toMatchObject({ status: 403 });
  }
  expect(parts.handled).toEqual([]);
});

test.each([
  [{ host: "localhost:4000" }],
  [{ host: "seed.localhost" }],
  [{ host: "[::1]:4000", origin: "http://[::1]:4000" }],
  [{ host: "127.0.0.1:4000", origin: "http://127.0.0.1:4000", "sec-fetch-site": "same-origin" }],
  [{ host, "sec-fetch-site": "none" }],
])("serves its own names: %j", async (headers: Record<string, string>) => {
  const { call } = lab();
  expect(await call("GET", "/control/status", { headers: { ...asOwner, ...headers } })).toMatchObject({ status: 200 });
});

test("accepts any host name in a container, but still rejects other origins", async () => {
  const { call } = lab({ environment: { SEED_HOST: "::" } });
  const own = { ...asOwner, host: "seed.example.com" };
  expect(await call("GET", "/control/status", { headers: own })).toMatchObject({ status: 200 });
  const same = { ...own, origin: "https://seed.example.com" };
  expect(await call("GET", "/control/status", { headers: same })).toMatchObject({ status: 200 });
  const other = { ...own, origin: "https://evil.example" };
  expect(await call("GET", "/control/status", { headers: other })).toMatchObject({ status: 403 });
});
