import { expect, test } from "vitest";
import * as z from "zod";
import { seedServer } from "../../../../components/seed-agent/program/server/server.ts";
import { StoreUnavailable } from "../../../../components/seed-agent/program/store/store.ts";
import { asMetrics, asOwner, seedParts } from "../../../support/seed-parts.ts";

const operation = z.looseObject({
  summary: z.string(),
  tags: z.array(z.string()),
  security: z.optional(z.array(z.record(z.string(), z.array(z.string())))),
  requestBody: z.optional(z.looseObject({})),
  responses: z.record(
    z.string(),
    z.looseObject({
      content: z.optional(z.record(z.string(), z.looseObject({ schema: z.record(z.string(), z.unknown()) }))),
    }),
  ),
});
const openApiDocument = z.looseObject({
  openapi: z.literal("3.1.0"),
  info: z.looseObject({ title: z.string(), version: z.literal("1.2.3") }),
  paths: z.record(z.string(), z.record(z.string(), operation)),
});

const host = "localhost";

async function documented() {
  const app = seedServer(seedParts());
  const { body } = await app.inject({ url: "/openapi.json", headers: { host } });
  return { app, ...openApiDocument.parse(JSON.parse(body)) };
}

/** The server's routes as `get /control/changes/{id}`, from the tree that Fastify prints. */
function routesOf(printed: string): string[] {
  const parents: string[] = [];
  return printed.split("\n").flatMap((line) => {
    const [, indent, part, methods] = /^([│ ]*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? [];
    if (indent === undefined || part === undefined) return [];
    const depth = indent.length / 4;
    const path = `${depth === 0 ? "" : parents[depth - 1]}${part}`;
    parents[depth] = path;
    const url = path.replace(/:(\w+)/g, "{$1}").replace(/\/?\*/, "/{path}");
    return methods?.split(", ").map((method) => `${method.toLowerCase()} ${url}`) ?? [];
  });
}

test("documents exactly the routes that exist", async () => {
  const { app, paths } = await documented();
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((verb) => `${verb} ${path}`),
  );
  // HEAD is that of GET, except for the agent, which sees it.
  const isListed = (route: string) => !route.startsWith("head ") || route.includes("/agent");
  const routes = routesOf(app.printRoutes({ commonPrefix: false })).filter(isListed);
  expect(routes.length).toBeGreaterThan(20);
  expect(operations.filter((each) => !each.startsWith("head ") || each.includes("/agent")).sort()).toEqual(
    routes.sort(),
  );
});

test("documents who may call what", async () => {
  const { paths } = await documented();
  for (const [path, item] of Object.entries(paths)) {
    for (const { security = [], responses } of Object.values(item)) {
      const schemes = security.flatMap((each) => Object.keys(each));
      if (path.startsWith("/control/") || path.startsWith("/agent")) expect(schemes).toEqual(["controlToken"]);
      else if (path === "/metrics" || path === "/health/deep")
        expect(schemes).toEqual(["metricsToken", "controlToken"]);
      else expect(schemes).toEqual([]);
      if (schemes.length > 0) expect(Object.keys(responses)).toEqual(expect.arrayContaining(["401", "403", "429"]));
    }
  }
});

const submission = { files: { "handle.ts": "export default () => ({ status: 200 });\n" }, summary: "Be shorter" };
const improve = {
  mode: { name: "propose" as const },
  budget: async () => ({ changesToday: 1, changesPerDay: 5, usdToday: 0.5, usdPerDay: 5 }),
  improveNow: async () => ({ outcome: "nothing" as const, reason: "There is nothing to improve." }),
};
const down = () => Promise.reject(new StoreUnavailable("The database can't be reached."));
const broken = () => Promise.reject(new Error("broken"));

/** A request to each route, and requests to the errors that it documents. */
const requests: readonly (readonly [string, string, object | string | undefined])[] = [
  ["get /health", "/health", undefined],
  ["get /health/deep", "/health/deep", undefined],
  ["get /metrics", "/metrics", undefined],
  ["get /openapi.json", "/openapi.json", undefined],
  ["get /agent", "/agent", undefined],
  ...(["get", "post", "put", "patch", "delete"] as const).map(
    (verb) => [`${verb} /agent/{path}`, "/agent/some/path?x=1", verb === "get" ? undefined : "text"] as const,
  ),
  ["get /agent/{path}", "/agent/../control", undefined],
  ["get /control/status", "/control/status", undefined],
  ["post /control/changes", "/control/changes", submission],
  ["post /control/changes", "/control/changes", { ...submission, base: "v9" }],
  ["post /control/changes", "/control/changes", { summary: 5 }],
  ["post /control/changes", "/control/changes", { ...submission, summary: "x".repeat(3_000_000) }],
  ["post /control/changes", "/control/changes", "plain text"],
  ["get /control/changes", "/control/changes", undefined],
  ["get /control/changes", "/control/changes?limit=0", undefined],
  ["get /control/changes/{id}", "/control/changes/c1", undefined],
  ["get /control/changes/{id}", "/control/changes/c99", undefined],
  ["get /control/changes/{id}/diff", "/control/changes/c1/diff", undefined],
  ["post /control/changes/{id}/approve", "/control/changes/c1/approve", { reason: "It is good." }],
  ["post /control/changes/{id}/reject", "/control/changes/c1/reject", {}],
  ["get /control/versions", "/control/versions", undefined],
  ["get /control/versions/{id}", "/control/versions/v0", undefined],
  ["get /control/versions/{id}", "/control/versions/v9", undefined],
  ["post /control/versions/{id}/activate", "/control/versions/v0/activate", {}],
  ["post /control/versions/{id}/activate", "/control/versions/v9/activate", {}],
  ["post /control/rollback", "/control/rollback", {}],
  ["post /control/pause", "/control/pause", undefined],
  ["post /control/resume", "/control/resume", undefined],
  ["post /control/improve", "/control/improve", {}],
  ["get /control/audit", "/control/audit", undefined],
];

test("each answer has a documented status, and the form that is documented", async () => {
  const { paths } = await documented();
  const { store } = seedParts();
  const seen = new Set<string>();
  const servers = [
    { improve },
    { store: { ...store, changes: down, change: down, versions: down, auditLog: down, setting: down } },
    { store: { ...store, changes: broken, change: broken, versions: broken, auditLog: broken, setting: broken } },
    { handle: () => ({ status: 302, headers: { location: "https://evil.example" }, body: "" }) },
  ];
  const credentials: Record<string, string>[] = [
    asOwner,
    asMetrics,
    {},
    { ...asOwner, origin: "https://evil.example" },
  ];
  for (const server of servers) {
    const app = seedServer(seedParts(server));
    for (const headers of credentials) {
      for (const [route, url, body] of requests) {
        const [verb = "", path = ""] = route.split(" ");
        const response = await app.inject({
          method: verb.toUpperCase() as "GET",
          ...{ url, headers: { host, ...headers } },
          ...(body === undefined ? {} : { payload: body }),
        });
        const responses = paths[path]?.[verb]?.responses ?? {};
        const answer = responses[response.statusCode] ?? (path.startsWith("/agent") ? responses["default"] : undefined);
        expect(answer, `${route} answers ${response.statusCode}: ${response.body.slice(0, 200)}`).toBeDefined();
        seen.add(`${route} ${response.statusCode}`);
        const type = String(response.headers["content-type"]).split(";")[0] ?? "";
        const schema = answer?.content?.[type]?.schema ?? answer?.content?.["*/*"]?.schema;
        expect(schema, `${route} ${response.statusCode} has the type ${type}`).toBeDefined();
        const data: unknown =
          type === "application/json" && schema?.["type"] !== "string" ? response.json() : response.body;
        const result = z.fromJSONSchema(schema ?? false).safeParse(data);
        expect(result.error?.issues, `${route} ${response.statusCode}`).toBeUndefined();
      }
    }
  }
  // The requests are no good if they don't reach the routes.
  const all = Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((verb) => `${verb} ${path}`));
  const succeeded = [...seen].filter((each) => /20[01]$/.test(each)).map((each) => each.replace(/ \d+$/, ""));
  const uncalled = all.filter((each) => !succeeded.includes(each) && !/^\w+ \/agent$|^head /.test(each));
  expect(uncalled).toEqual([]);
  for (const status of [400, 401, 403, 404, 409, 413, 415, 500, 502, 503]) {
    expect(
      [...seen].some((each) => each.endsWith(` ${status}`)),
      `no request was answered ${status}`,
    ).toBe(true);
  }
});
