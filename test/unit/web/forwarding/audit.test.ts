import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as z from "zod/mini";
import { adminRequest } from "../../../../components/web/forwarding/admin-client.ts";
import { startAdmin } from "../../../../components/web/forwarding/program/admin.ts";
import { Audit } from "../../../../components/web/forwarding/program/audit/audit.ts";
import { JsonLines } from "../../../../components/web/forwarding/program/audit/json-lines.ts";
import { SessionList } from "../../../../components/web/forwarding/program/audit/session-list.ts";
import { TrustedProxies } from "../../../../components/web/forwarding/program/client-address.ts";
import { ada, bob, enter, hostOf, openSite } from "../../../support/forwarding-site.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "audit-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const entries = (file: string) =>
  readFileSync(join(folder, file), "utf8")
    .trim()
    .split("\n")
    .map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line)));

describe("the forwarding server's logs", () => {
  it("contain logins and requests, but nothing that gives access", async () => {
    const secrets: string[] = [];
    {
      await using site = await openSite([ada, bob], {}, new Audit(folder));
      const { url } = site.server.loginUrl(ada.id);
      secrets.push(new URL(url).searchParams.get("one_time_code") ?? "");
      const { cookie } = await site.ask(`/authenticate${new URL(url).search}`, {
        headers: { "user-agent": `Firefox\u0085 ${"x".repeat(500)}` },
      });
      const own = await enter(site, cookie);
      secrets.push(cookie.split("=")[1] ?? "", own.split("=")[1] ?? "", "agents-own-token");
      await site.ask("/page?token=agents-own-token", { host: hostOf(site, ada.id), cookie: own });
      await site.ask("/page", { host: hostOf(site, bob.id), cookie: own });
      await site.ask(`/authenticate${new URL(url).search}`);
      await site.ask(`/logout?agent_id=${ada.id}`, { method: "POST", cookie });
      site.server.revoke(bob.id);
      site.server.rotateKey();
    }
    const logins = entries("logins.jsonl");
    const [, login] = logins;
    const { session } = login ?? {};
    expect(logins.map(({ at: _, ...entry }) => entry)).toEqual([
      { event: "login URL made", agent: ada.id },
      {
        event: "login",
        agent: ada.id,
        session,
        address: "127.0.0.1",
        userAgent: expect.stringMatching(/^Firefox. x+$/),
      },
      { event: "logout", session },
      { event: "revoked", agent: bob.id },
      { event: "revoked", agent: "all" },
    ]);
    expect(String(login?.["userAgent"])).toHaveLength(300);
    const requests = entries("access.jsonl").map(({ method, path, status, agent, session: by }) => [
      method,
      path,
      status,
      agent,
      by,
    ]);
    expect(requests).toContainEqual(["GET", "/authenticate", 302, undefined, undefined]);
    expect(requests).toContainEqual(["GET", "/page", 200, "ada", session]);
    expect(requests).toContainEqual(["GET", "/page", 401, undefined, undefined]);
    expect(requests).toContainEqual(["GET", "/authenticate", 403, undefined, undefined]);
    for (const file of ["logins.jsonl", "access.jsonl", "session-list.json"]) {
      const text = readFileSync(join(folder, file), "utf8");
      for (const secret of secrets) expect(text).not.toContain(secret);
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
      expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    }
  });

  it("contain the client behind a trusted reverse proxy", async () => {
    {
      await using site = await openSite([ada], {}, new Audit(folder, new TrustedProxies(["127.0.0.1"])));
      await site.ask("/healthz", { headers: { "x-forwarded-for": "203.0.113.9" } });
    }
    expect(entries("access.jsonl")).toMatchObject([{ address: "203.0.113.9", path: "/healthz", status: 200 }]);
  });

  it("are limited in rate and in size", () => {
    const lines = new JsonLines(join(folder, "x.jsonl"));
    for (let n = 0; n < 2000; n += 1) lines.add(() => ({ n }));
    lines.flush();
    const [first] = entries("x.jsonl");
    expect(first).toMatchObject({ n: 0 });
    expect(entries("x.jsonl")).toHaveLength(501);
    expect(entries("x.jsonl").at(-1)).toMatchObject({ lost: 1500, reason: "too many at once" });
    for (let n = 0; n < 120; n += 1) {
      lines.add(() => ({ text: "x".repeat(100_000) }));
      lines.flush();
    }
    for (const file of ["x.jsonl", "x.jsonl.1"]) {
      expect(existsSync(join(folder, file))).toBe(true);
      expect(statSync(join(folder, file)).size).toBeLessThan(5_300_000);
    }
  });
});

describe("the sessions", () => {
  const session = (id: string) => ({ id, expiresAt: Date.now() + 3_600_000 });
  const visitor = { address: "::1", userAgent: "Firefox" };

  it("are listed with their browsers until they end, also after a restart", () => {
    const path = join(folder, "list.json");
    const first = new SessionList(path);
    first.begin(ada.id, session("aaaaaaaaaaaa"), visitor);
    first.begin(bob.id, session("bbbbbbbbbbbb"), { address: undefined, userAgent: undefined });
    const again = new SessionList(path);
    // A login that is older than the list.
    again.see(ada.id, session("cccccccccccc"), () => visitor);
    const shown = again
      .list()
      .map(({ session, agent, since, address }) => [session, agent, since !== undefined, address]);
    expect(shown.sort()).toEqual([
      ["aaaaaaaa", ada.id, true, "::1"],
      ["bbbbbbbb", bob.id, true, undefined],
      ["cccccccc", ada.id, false, "::1"],
    ]);
    again.end("aaaaaaaaaaaa");
    again.endAll(bob.id);
    expect(new SessionList(path).list().map((each) => each.session)).toEqual(["cccccccc"]);
    again.endAll(undefined);
    expect(new SessionList(path).list()).toEqual([]);
  });

  it("show when they were last seen, and are removed when they expire", () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const list = new SessionList();
      list.begin(ada.id, session("a"), visitor);
      vi.advanceTimersByTime(120_000);
      list.see(ada.id, session("a"), () => ({ address: "10.0.0.1", userAgent: "Other" }));
      expect(list.list()).toMatchObject([
        { address: "10.0.0.1", userAgent: "Other", lastSeen: new Date().toISOString() },
      ]);
      vi.advanceTimersByTime(3_600_000);
      expect(list.list()).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("still work if their file is damaged, or can't be written", () => {
    const path = join(folder, "list.json");
    writeFileSync(path, "{");
    const list = new SessionList(path);
    list.begin(ada.id, session("a"), visitor);
    chmodSync(path, 0o600);
    const nowhere = new SessionList(join(path, "below-a-file.json"));
    nowhere.begin(ada.id, session("a"), visitor);
    expect([list.list().length, nowhere.list().length]).toEqual([1, 1]);
  });
});

describe("health and counts", () => {
  it("/healthz reports only that the server runs, by its name and by its IP address", async () => {
    await using site = await openSite();
    for (const host of [undefined, `127.0.0.1:${site.server.port}`]) {
      const answer = await site.ask("/healthz", host === undefined ? {} : { host });
      expect(answer).toMatchObject({ status: 200, body: "ok\n" });
    }
    expect((await site.ask("/healthz", { host: "evil.example" })).status).toBe(421);
    expect((await site.ask("/metrics")).status).toBe(404);
  });

  it("are available to the owner of the folder, through the admin socket", async () => {
    await using site = await openSite();
    const own = await enter(site, await site.login(ada));
    for (let n = 0; n < 3; n += 1) await site.ask("/", { host: hostOf(site, ada.id), cookie: own });
    await site.ask(`/authenticate?agent_id=${ada.id}&one_time_code=wrong`);
    const admin = await startAdmin({ folder: site.folder, server: site.server, agents: site.agents, log: () => {} });
    try {
      const { text } = z.object({ text: z.string() }).parse(await adminRequest(site.folder, { op: "metrics" }));
      const lines = text.split("\n");
      expect(lines).toContain('changelings_requests_total{agent="ada",status="2xx"} 3');
      for (const line of [
        "changelings_logins_total 1",
        "changelings_failed_logins_total 1",
        "changelings_sessions 1",
      ]) {
        expect(lines).toContain(line);
      }
      expect(lines).toContain('changelings_agents{state="online"} 2');
      for (const line of lines) expect(line).toMatch(/^(|# (HELP|TYPE) .+|[a-z_]+(\{[^}]*\})? [\d.]+)$/);
      expect(await adminRequest(site.folder, { op: "sessions" })).toEqual([
        expect.objectContaining({ agent: ada.id, session: expect.stringMatching(/^[\w-]{8}$/), address: "127.0.0.1" }),
      ]);
    } finally {
      admin.close();
    }
  });
});
