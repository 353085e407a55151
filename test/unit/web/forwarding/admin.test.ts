import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { adminRequest, adminSocketPath, NotRunning } from "../../../../components/web/forwarding/admin-client.ts";
import { startAdmin } from "../../../../components/web/forwarding/program/admin.ts";
import { ada, agentsOf, bob, type ForwardingSite, openSite } from "../../../support/forwarding-site.ts";

const unknown = `agent-${"c".repeat(32)}`;

async function openAdmin(): Promise<ForwardingSite> {
  const site = await openSite();
  const { folder, server, agents } = site;
  const admin = await startAdmin({ folder, server, agents, log: () => {} });
  return {
    ...site,
    async [Symbol.asyncDispose]() {
      admin.close();
      await site[Symbol.asyncDispose]();
    },
  };
}

describe("the admin socket", () => {
  it("is only accessible to the account", async () => {
    await using site = await openAdmin();
    expect(statSync(adminSocketPath(site.folder)).mode & 0o777).toBe(0o600);
  });

  it("makes login URLs", async () => {
    await using site = await openAdmin();
    const before = Date.now();
    const made = await adminRequest(site.folder, { op: "mint", agent: ada.id });
    expect(made).toEqual({ url: expect.any(String), expiresAt: expect.any(String) });
    const { url, expiresAt } = made as { url: string; expiresAt: string };
    expect(url).toMatch(
      new RegExp(`^http://localhost:${site.server.port}/login\\?agent_id=${ada.id}&one_time_code=[\\w-]{43}$`),
    );
    expect(Date.parse(expiresAt) - before).toBeGreaterThanOrEqual(900_000);
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(900_000);
    expect((await site.ask(`/authenticate${new URL(url).search}`)).status).toBe(302);
  });

  it("queries again for an unknown agent, then reports it", async () => {
    await using site = await openAdmin();
    await expect(adminRequest(site.folder, { op: "mint", agent: unknown })).rejects.toThrow(
      `the forwarding server could not do it: there is no web changeling with the agent ${unknown}`,
    );
    expect(site.agents.refreshed).toBe(1);
  });

  it("revokes only one agent's logins, also of a removed agent", async () => {
    await using site = await openAdmin();
    const [adas, bobs] = [await site.login(ada), await site.login(bob)];
    expect(await adminRequest(site.folder, { op: "revoke", agent: ada.id })).toEqual({ revoked: ada.id });
    expect(await adminRequest(site.folder, { op: "revoke", agent: unknown })).toEqual({ revoked: unknown });
    const body = await site.list([
      [ada, adas],
      [bob, bobs],
    ]);
    expect([body.includes(ada.id), body.includes(bob.id)]).toEqual([false, true]);
  });

  it("rotates the key, refreshes, and reports its status", async () => {
    await using site = await openAdmin();
    const cookie = await site.login(ada);
    expect(await adminRequest(site.folder, { op: "rotate-key" })).toEqual({ rotated: true });
    expect((await site.ask("/", { cookie })).body).toContain("Not logged in");
    expect(await adminRequest(site.folder, { op: "refresh" })).toEqual({ refreshed: true });
    expect(site.agents.refreshed).toBe(1);
    expect(await adminRequest(site.folder, { op: "agents" })).toEqual([ada, bob]);
    const { port, url } = site.server;
    expect(await adminRequest(site.folder, { op: "status" })).toEqual({ port, url, pid: process.pid });
  });

  it.each(["no JSON", "[]", '{"op":"stop"}', '{"op":"mint","agent":"../x"}', '{"op":"mint"}'])(
    "refuses what it does not know: %s",
    async (line) => {
      await using site = await openAdmin();
      const socket = connect(adminSocketPath(site.folder)).setEncoding("utf8");
      socket.end(`${line}\n`);
      const [answer] = await once(socket, "data");
      expect(JSON.parse(answer)).toEqual({ error: expect.any(String) });
    },
  );

  it("replaces a socket that a killed server left", async () => {
    await using site = await openSite();
    writeFileSync(adminSocketPath(site.folder), "");
    const admin = await startAdmin({ ...site, agents: agentsOf([]), log: () => {} });
    expect(await adminRequest(site.folder, { op: "agents" })).toEqual([]);
    admin.close();
  });

  it("reports that no server runs", async () => {
    const folder = mkdtempSync(join(tmpdir(), "no-server-"));
    await expect(adminRequest(folder, { op: "status" })).rejects.toThrow(NotRunning);
    await expect(adminRequest(folder, { op: "status" })).rejects.toThrow(
      "the forwarding server is not running; start it with: pulumi up",
    );
    rmSync(folder, { recursive: true });
  });
});
