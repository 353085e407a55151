import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { isForeign } from "../../../../components/web/forwarding/program/origin-check.ts";
import { ada, bob, enter, type ForwardingSite, hostOf, linked, openSite } from "../../../support/forwarding-site.ts";

describe("another site's page", () => {
  it.each([
    [
      "fetches",
      "GET",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", origin: "http://evil.example" },
      403,
    ],
    [
      "shows a picture",
      "GET",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" },
      403,
    ],
    [
      "shows a frame",
      "GET",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
      403,
    ],
    [
      "sends a form",
      "POST",
      {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
        origin: "http://evil.example",
      },
      403,
    ],
    [
      "asks whether it may",
      "OPTIONS",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", origin: "http://evil.example" },
      403,
    ],
    ["of an old browser sends a form", "POST", { origin: "http://evil.example" }, 403],
    ["without an origin sends a form", "POST", { origin: "null" }, 403],
    ["of the main origin sends a form", "POST", { origin: "<main>", "sec-fetch-site": "cross-site" }, 403],
    ["of another agent sends a form", "POST", { origin: "<bob>", "sec-fetch-site": "same-site" }, 403],
    ["of another agent shows a picture", "GET", { referer: "<bob>/", "sec-fetch-site": "same-site" }, 403],
    ["is followed by a link", "GET", linked, 200],
  ])("%s", async (_, method, sent, status) => {
    await using site = await openSite();
    const cookie = await enter(site, await site.login(ada));
    const { host } = new URL(site.server.url);
    const headers = Object.fromEntries(
      Object.entries(sent).map(([name, value]) => [
        name,
        value.replace("<main>", `http://${host}`).replace("<bob>", `http://${hostOf(site, bob.id)}`),
      ]),
    );
    const answered = await site.ask("/", { host: hostOf(site, ada.id), cookie, method, headers });
    expect(answered.status).toBe(status);
    expect(site.proxied).toHaveLength(status === 200 ? 1 : 0);
  });

  it("is neither the agent's own page, nor one of the agent's other servers", async () => {
    await using site = await openSite();
    const cookie = await enter(site, await site.login(ada));
    const [own, api] = [`http://${hostOf(site, ada.id)}`, `http://${hostOf(site, ada.id, "api")}`];
    const own200 = async (method: string, headers: Record<string, string>) =>
      expect((await site.ask("/", { host: hostOf(site, ada.id), cookie, method, headers })).status).toBe(200);
    await own200("POST", { origin: own, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" });
    await own200("POST", { origin: own });
    await own200("POST", {});
    await own200("POST", { origin: "null", "sec-fetch-site": "same-origin" });
    await own200("POST", { origin: api, "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" });
    await own200("GET", { referer: `${api}/`, "sec-fetch-site": "same-site", "sec-fetch-dest": "image" });
  });

  it("is recognized in every combination of headers", () => {
    const isOwn = (origin: string) => origin === "http://own";
    const site = fc.constantFrom("cross-site", "same-site");
    const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "OPTIONS");
    const mode = fc.constantFrom("navigate", "cors", "no-cors", "websocket");
    const dest = fc.constantFrom("document", "iframe", "image", "empty");
    fc.assert(
      fc.property(site, method, mode, dest, (fetchSite, verb, fetchMode, fetchDest) => {
        const headers = { "sec-fetch-site": fetchSite, "sec-fetch-mode": fetchMode, "sec-fetch-dest": fetchDest };
        const isPage = fetchDest === "document" || fetchDest === "empty";
        const isLink = verb === "GET" && fetchMode === "navigate" && isPage;
        expect(isForeign({ method: verb, headers }, isOwn)).toBe(!isLink);
        expect(isForeign({ method: verb, headers: { ...headers, origin: "http://evil" } }, isOwn)).toBe(true);
      }),
    );
  });
});

describe("a WebSocket", () => {
  /** @returns the status line, and the socket */
  async function upgrade(site: ForwardingSite, path: string, headers: Record<string, string>) {
    const socket = connect(site.server.port, "127.0.0.1").setEncoding("utf8");
    const lines = Object.entries({ ...headers, connection: "Upgrade", upgrade: "websocket" });
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.map((pair) => pair.join(": ")).join("\r\n")}\r\n\r\n`);
    const [answer] = await once(socket, "data");
    return { status: Number(String(answer).split(" ")[1]), socket };
  }

  it("only opens for the agent's own pages, and for programs", async () => {
    await using site = await openSite();
    const cookie = await enter(site, await site.login(ada));
    const host = hostOf(site, ada.id);
    const status = async (headers: Record<string, string>) => {
      const { status, socket } = await upgrade(site, "/ws", { host, ...headers });
      socket.destroy();
      return status;
    };
    expect(await status({ cookie, origin: `http://${host}` })).toBe(101);
    expect(await status({ cookie })).toBe(101);
    for (const origin of ["http://evil.example", "null", site.server.url, `http://${hostOf(site, bob.id)}`])
      expect([origin, await status({ cookie, origin })]).toEqual([origin, 403]);
    expect(await status({ origin: `http://${host}` })).toBe(401);
    expect(await status({ cookie, host: "evil.example" })).toBe(421);
    expect(await status({ host: new URL(site.server.url).host })).toBe(404);
    expect(site.proxied).toHaveLength(2);
  });

  it("opens without a redirect with routing by path", async () => {
    await using site = await openSite([ada], { routing: "path" });
    const cookie = await site.login(ada);
    const { host, origin } = new URL(site.server.url);
    const { status, socket } = await upgrade(site, `/${ada.id}/ws`, { host, origin, cookie });
    socket.destroy();
    expect(status).toBe(101);
    expect(site.proxied[0]).toMatchObject({ prefix: `/${ada.id}`, path: "/ws" });
    expect((await upgrade(site, `/${ada.id}/ws`, { host, origin: "http://evil.example", cookie })).status).toBe(403);
  });

  it("ends when its login expires", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    try {
      await using site = await openSite([ada], { cookieTtlSeconds: 1 });
      const host = hostOf(site, ada.id);
      const cookie = await enter(site, await site.login(ada));
      const { status, socket } = await upgrade(site, "/ws", { host, cookie });
      expect(status).toBe(101);
      vi.advanceTimersByTime(10_000);
      expect(socket.destroyed).toBe(false);
      const ended = once(socket, "close");
      await sleep(1100);
      vi.advanceTimersByTime(10_000);
      await ended;
    } finally {
      vi.useRealTimers();
    }
  });

  it.each(["revoke", "rotateKey", "logout"] as const)("ends when its login is ended: %s", async (how) => {
    await using site = await openSite();
    const host = hostOf(site, ada.id);
    const main = await site.login(ada);
    const cookie = await enter(site, main);
    const other = await enter(site, await site.login(ada));
    const [mine, theirs] = [
      await upgrade(site, "/ws", { host, cookie }),
      await upgrade(site, "/ws", { host, cookie: other }),
    ];
    const ended = once(mine.socket, "close");
    if (how === "revoke") site.server.revoke(ada.id);
    if (how === "rotateKey") site.server.rotateKey();
    if (how === "logout") {
      const { status } = await site.ask(`/logout?agent_id=${ada.id}`, { cookie: main, method: "POST" });
      expect(status).toBe(303);
    }
    await ended;
    // One login's end is not another's.
    if (how === "logout") expect(theirs.socket.destroyed).toBe(false);
    else if (!theirs.socket.destroyed) await once(theirs.socket, "close");
    theirs.socket.destroy();
  });
});
