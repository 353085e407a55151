import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { waitingLimits } from "../../../../components/lib/waiting-connections.ts";
import { createForwardingServer } from "../../../../components/web/forwarding/program/server.ts";
import { flood } from "../../../support/flood.ts";
import { ada, agentsOf, enter, hostOf, json, linked, navigation, openSite } from "../../../support/forwarding-site.ts";

describe("the Host", () => {
  it.each([
    "evil.example",
    "localhost",
    "localhost:1",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "agent-x.localhost",
  ])("%s is rejected", async (host) => {
    await using site = await openSite();
    const cookie = await site.login(ada);
    for (const path of ["/", `/${ada.id}/`, "/login"]) {
      const { status, body, location } = await site.ask(path, { host, cookie });
      expect([status, location]).toEqual([421, undefined]);
      expect(body).toBe(`This is not the address of this server: use ${site.server.url}/\n`);
    }
  });

  it("as an IP address redirects to the name that the cookies belong to", async () => {
    await using site = await openSite();
    const { port, url } = site.server;
    for (const host of [`127.0.0.1:${port}`, `[::1]:${port}`]) {
      expect(await site.ask("/login?a=b", { host })).toMatchObject({ status: 302, location: `${url}/login?a=b` });
      expect(await site.ask("//evil.example/", { host })).toMatchObject({ location: `${url}//evil.example/` });
      expect((await site.ask("/logout", { host, method: "POST" })).status).toBe(421);
    }
  });

  it("of an agent is case-insensitive, and unknown with routing by path", async () => {
    await using site = await openSite();
    await using paths = await openSite([ada], { routing: "path" });
    const host = (port: number) => `${ada.id}.LOCALHOST:${port}`;
    expect((await site.ask("/", { host: host(site.server.port) })).status).toBe(401);
    expect((await paths.ask("/", { host: host(paths.server.port) })).status).toBe(421);
  });

  it("is the public one behind TLS, and no other host can set its cookies", async () => {
    await using site = await openSite([ada], { publicUrl: "https://agents.example.com" });
    const host = "agents.example.com";
    expect(site.server.url).toBe("https://agents.example.com");
    const { url } = site.server.loginUrl(ada.id);
    expect(url.startsWith(`https://agents.example.com/login?agent_id=${ada.id}&one_time_code=`)).toBe(true);
    const { headers, cookie } = await site.ask(`/authenticate${new URL(url).search}`, { host });
    expect(headers["set-cookie"]?.[0]).toMatch(
      /^__Host-changeling_[0-9a-f]{32}=[\w.-]+; Max-Age=3600; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    );
    expect((await site.ask("/", { host: `localhost:${site.server.port}` })).status).toBe(421);
    const key = site.access.loginKey(ada.id, site.access.session(ada.id, "main", cookie) ?? { id: "", expiresAt: 0 });
    const list = (of: string) => site.ask("/agents", { host, cookie: of, ...json({ keys: [[ada.id, key]] }) });
    expect(JSON.parse((await list(cookie)).body).keys).toHaveLength(1);
    expect(JSON.parse((await list(cookie.replace("__Host-", ""))).body).keys).toEqual([]);
    const { location } = await site.ask(`/${ada.id}/`, { host, cookie, headers: navigation });
    expect(location).toBe(`https://${ada.id}.agents.example.com/`);
    const own = await site.ask("/", { host: `${ada.id}.agents.example.com`, headers: linked });
    expect(own.headers["set-cookie"]?.[0]).toMatch(
      new RegExp(`^__Secure-changeling_browser=.*; SameSite=Lax; Secure; Domain=${ada.id}.agents.example.com$`),
    );
  });
});

describe("a malformed request", () => {
  const raw = async (lines: string[], body = "") => {
    await using site = await openSite();
    const text = lines.map((line) => line.replace("<host>", `localhost:${site.server.port}`)).join("\r\n");
    const answer = await site.raw(`${text}\r\n\r\n${body}`);
    return { statuses: answer.match(/^HTTP\/1\.1 \d+/gm)?.map((line) => Number(line.slice(9))), proxied: site.proxied };
  };

  it.each([
    [
      "both a length and chunks",
      ["POST /logout HTTP/1.1", "Host: <host>", "Content-Length: 4", "Transfer-Encoding: chunked"],
    ],
    ["two lengths", ["POST /logout HTTP/1.1", "Host: <host>", "Content-Length: 4", "Content-Length: 5"]],
    ["a signed length", ["POST /logout HTTP/1.1", "Host: <host>", "Content-Length: +4"]],
    ["chunks that are not last", ["POST /logout HTTP/1.1", "Host: <host>", "Transfer-Encoding: chunked, identity"]],
    ["a space before the colon", ["GET / HTTP/1.1", "Host: <host>", "Content-Length : 4"]],
    ["a folded header", ["GET / HTTP/1.1", "Host: <host>", "X-A: 1", " 2"]],
    ["no host", ["GET / HTTP/1.1"]],
    ["a whole URL", ["GET http://evil.example/ HTTP/1.1", "Host: <host>"]],
    ["an asterisk", ["OPTIONS * HTTP/1.1", "Host: <host>"]],
  ])("%s is refused with 400, and what follows is not read as a request", async (_, lines) => {
    const { statuses, proxied } = await raw(lines, "0\r\n\r\nGET / HTTP/1.1\r\nHost: <host>\r\n\r\n");
    expect(statuses?.[0]).toBe(400);
    expect(statuses?.slice(1).filter((status) => status !== 400 && status !== 421)).toEqual([]);
    expect(proxied).toEqual([]);
  });

  it("endless headers are rejected", async () => {
    const { statuses } = await raw(["GET / HTTP/1.1", "Host: <host>", `X-A: ${"a".repeat(70_000)}`]);
    expect(statuses).toEqual([431]);
  });

  it("hundreds of headers are rejected", async () => {
    const lines = (count: number) => Array.from({ length: count }, (_, n) => `X-${n}: 1`);
    expect((await raw(["GET / HTTP/1.1", "Host: <host>", ...lines(400)])).statuses).toEqual([200]);
    for (const count of [600, 5_000]) {
      expect((await raw(["GET / HTTP/1.1", "Host: <host>", ...lines(count)])).statuses).toEqual([431]);
    }
  });

  it("an unread body ends the connection", async () => {
    await using site = await openSite();
    const head = `POST / HTTP/1.1\r\nHost: ${ada.id}.localhost:${site.server.port}\r\nContent-Length: 50\r\n\r\n`;
    const inner = `GET / HTTP/1.1\r\nHost: localhost:${site.server.port}\r\n\r\n`;
    const answer = await site.raw(`${head}${inner}${inner}${inner}`);
    expect(answer.match(/^HTTP\/1\.1 \d+/gm)).toEqual(["HTTP/1.1 401"]);
    expect(answer).toContain("connection: close");
  });

  it("a long body is rejected", async () => {
    await using site = await openSite();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const { status } = await site.ask("/logout", { method: "POST", headers, body: "a".repeat(5000) });
    expect(status).toBe(413);
  });
});

describe("a missing body", () => {
  const sent = async (port: number, head: string) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const socket = connect(port, "127.0.0.1");
    let isClosed = false;
    socket
      .on("error", () => {})
      .once("close", () => {
        isClosed = true;
      })
      .resume();
    await once(socket, "connect");
    socket.write(head);
    await sleep(300);
    return {
      async isClosedAfter(ms: number) {
        vi.advanceTimersByTime(ms);
        for (let n = 0; n < 20 && !isClosed; n += 1) await sleep(50);
        const wasClosed = isClosed;
        socket.destroy();
        vi.useRealTimers();
        return wasClosed;
      },
    };
  };

  it.each([
    ["POST /logout", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 2000"],
    ["POST /logout", "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked"],
    ["POST /nowhere", "Content-Length: 2000"],
    ["GET /", "Content-Length: 2000"],
    ["GET /login", "Transfer-Encoding: chunked"],
    ["POST /logout", "Expect: 100-continue\r\nContent-Length: 2000"],
  ])("ends its connection: %s with %j", async (line, headers) => {
    await using site = await openSite();
    const { port } = site.server;
    const connection = await sent(port, `${line} HTTP/1.1\r\nHost: localhost:${port}\r\n${headers}\r\n\r\n`);
    expect(await connection.isClosedAfter(15_000)).toBe(true);
  });

  it("is awaited if it is for an agent and the client is logged in", async () => {
    await using site = await openSite();
    const { port } = site.server;
    const cookie = await enter(site, await site.login(ada));
    const host = hostOf(site, ada.id);
    const head = `POST /upload HTTP/1.1\r\nHost: ${host}\r\nCookie: ${cookie}\r\nContent-Length: 2000\r\n\r\n`;
    const connection = await sent(port, head);
    expect(await connection.isClosedAfter(3_600_000)).toBe(false);
  });
});

describe("connections without a login", () => {
  it("are limited, and don't keep out those with one", async () => {
    await using site = await openSite();
    const { port } = site.server;
    const cookie = await enter(site, await site.login(ada));
    const visitor = connect(port, "127.0.0.1").setEncoding("utf8");
    let received = "";
    visitor.on("data", (text: string) => {
      received += text;
    });
    const ask = `GET / HTTP/1.1\r\nHost: ${hostOf(site, ada.id)}\r\nCookie: ${cookie}\r\n\r\n`;
    visitor.write(ask);
    await expect.poll(() => received.match(/HTTP\/1\.1 200/g)?.length).toBe(1);
    using crowd = await flood(port, 2 * waitingLimits.most, "GET / HTTP/1.1\r\n");
    await expect.poll(crowd.open, { timeout: 10_000 }).toBe(waitingLimits.most);
    visitor.write(ask);
    await expect.poll(() => received.match(/HTTP\/1\.1 200/g)?.length).toBe(2);
    expect((await site.ask("/")).status).toBe(200);
    visitor.destroy();
  });

  it("can't make the server keep more than a few megabytes of headers", async () => {
    await using site = await openSite();
    const head = `GET / HTTP/1.1\r\nHost: localhost:${site.server.port}\r\nCookie: ${"a".repeat(900_000)}`;
    using crowd = await flood(site.server.port, 5 * waitingLimits.mostLarge, head);
    await expect.poll(crowd.open, { timeout: 10_000 }).toBe(waitingLimits.mostLarge);
    expect((await site.ask("/")).status).toBe(200);
  });
});

describe("headers of the pages", () => {
  it("are sent with every page", async () => {
    await using site = await openSite();
    for (const path of ["/", "/login", "/authenticate", "/nothing", "/agent-x/"]) {
      const { headers } = await site.ask(path, { headers: linked });
      expect([path, headers["x-content-type-options"]]).toEqual([path, "nosniff"]);
      expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
      expect(headers["cache-control"]).toBe("no-store");
      expect(headers["server"]).toBeUndefined();
    }
  });

  it("are not sent to another site's page", async () => {
    await using site = await openSite();
    const cookie = await site.login(ada);
    for (const dest of ["iframe", "image", "script", "empty"]) {
      const headers = {
        "sec-fetch-site": "cross-site",
        "sec-fetch-dest": dest,
        "sec-fetch-mode": dest === "iframe" ? "navigate" : "no-cors",
      };
      expect((await site.ask("/", { cookie, headers })).status).toBe(403);
    }
    expect((await site.ask("/", { cookie, headers: linked })).status).toBe(200);
  });
});

describe("a port in use", () => {
  it("is reported with the remedy", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    await using site = await openSite();
    const config = {
      version: 1,
      port,
      host: "127.0.0.1",
      publicUrl: null,
      routing: "host",
      codeTtlSeconds: 1,
      cookieTtlSeconds: 1,
    } as const;
    const proxy = { request() {}, upgrade() {}, stop() {} };
    await expect(
      createForwardingServer({ config, access: site.access, agents: agentsOf([]), proxy, log: () => {} }),
    ).rejects.toThrow(
      `port ${port} of 127.0.0.1 is in use by another program; end that program, or set another \`port\` in [forwarding] of the fleet file, then run: pulumi up`,
    );
    other.close();
  });
});
