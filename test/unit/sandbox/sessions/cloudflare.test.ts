import { describe, expect, it } from "vitest";
import {
  buildId,
  defaultWorkerName,
  wranglerConfig,
} from "../../../../components/sandbox/sessions/cloudflare/wrangler-config.ts";
import { sandboxesSettings } from "../../../../components/sandbox/sessions/options.ts";

const accountId = "0123456789abcdef0123456789abcdef";
const of = { accountId, worker: "my-sessions", installation: "dev-1" };

describe("[sandboxes]", () => {
  const check = (table: object) => {
    const written = sandboxesSettings.table.parse({ sandboxes: table });
    return { found: sandboxesSettings.check(written), resolved: sandboxesSettings.resolve(written) };
  };

  it("keeps the sessions here by default", () => {
    expect(check({})).toEqual({ found: [], resolved: { cloudflare: undefined, page: {} } });
  });

  it("has a port and a public URL of the page", () => {
    const { found, resolved } = check({ port: 8421, public_url: "https://Sandboxes.example.com:443/" });
    expect([found, resolved.page]).toEqual([[], { port: 8421, publicUrl: "https://sandboxes.example.com" }]);
  });

  it("is an account and a worker", () => {
    const { found, resolved } = check({ sessions: "cloudflare", account_id: accountId, worker: "my-sessions" });
    expect(found).toEqual([]);
    expect(resolved.cloudflare).toEqual({ accountId, worker: "my-sessions", destroyData: false });
  });

  it.each([
    [{ sessions: "cloudflare" }, 'sessions = "cloudflare" needs an account_id'],
    [{ account_id: accountId }, 'account_id is only for sessions = "cloudflare"'],
    [{ public_url: "https://x.example.com" }, "public_url needs a port"],
    [{ port: 8421, public_url: "http://x.example.com" }, '"http://x.example.com" is not an https URL'],
    [
      { port: 8421, public_url: "https://x.example.com/a" },
      "it must be an origin, without a path, a query or a user name",
    ],
    [{ worker: "my-sessions" }, 'worker is only for sessions = "cloudflare"'],
  ])("reports %j", (table, message) => {
    expect(check(table).found.map((each) => each.message)).toEqual([message]);
  });

  it.each(["-a", "a-", "A", "a_b", "a".repeat(64), ""])("rejects the worker's name %j", (worker) => {
    expect(sandboxesSettings.table.safeParse({ sandboxes: { worker } }).success).toBe(false);
  });
});

describe("the worker", () => {
  it.each([
    ["dev-3f2a", "changelings-dev-3f2a"],
    ["My.Stack_1", "changelings-my-stack-1"],
    ["x".repeat(80), `changelings-${"x".repeat(51)}`],
    [`${"x".repeat(50)}.y`, `changelings-${"x".repeat(50)}`],
  ])("of installation %s is %s", (installation, name) => expect(defaultWorkerName(installation)).toBe(name));

  it("has its objects in one migration that never changes", () => {
    expect(wranglerConfig(of, "build")).toMatchObject({
      ...{ name: "my-sessions", account_id: accountId, workers_dev: true, preview_urls: false, send_metrics: false },
      migrations: [{ tag: "v1", new_sqlite_classes: ["Session", "Directory", "RunnerLink"] }],
      vars: { BUILD: "build", CHANGELINGS_INSTALLATION: "dev-1" },
    });
  });

  it("has a build that does not depend on who deploys it", () => {
    expect(buildId(of)).toBe(buildId({ ...of, installation: "other" }));
    expect(buildId(of)).not.toBe(buildId({ ...of, worker: "other" }));
    expect(buildId(of)).toMatch(/^[0-9a-f]{16}$/);
  });
});
