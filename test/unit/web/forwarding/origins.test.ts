import { describe, expect, it } from "vitest";
import {
  ada,
  agentView,
  bob,
  enter,
  hostOf,
  json,
  linked,
  navigation,
  openSite,
  ticketFor,
} from "../../../support/forwarding-site.ts";

const many = agentView("a", "ada", { servers: ["web", "api", "Two words", "a/b"] });

describe("the way to an agent's own origin", () => {
  it("sets its cookie by a ticket that is good once, and ends at the page", async () => {
    await using site = await openSite();
    const cookie = await site.login(ada);
    const { port } = site.server;
    const first = await site.ask(`/${ada.id}/chat?x=1&y=%2F`, { cookie, headers: navigation });
    expect([first.status, first.location]).toEqual([302, `http://${ada.id}.localhost:${port}/chat?x=1&y=%2F`]);
    const own = { host: hostOf(site, ada.id), headers: linked };
    const asked = await site.ask("/chat?x=1&y=%2F", own);
    expect(asked.headers["set-cookie"]).toEqual([
      expect.stringMatching(
        new RegExp(
          `^changeling_browser=[\\w-]{43}; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax; Domain=${ada.id}.localhost$`,
        ),
      ),
    ]);
    const main = new URL(asked.location ?? "");
    expect(main.origin + main.pathname).toBe(`${site.server.url}/${ada.id}/__changelings/enter`);
    expect([...main.searchParams.keys()]).toEqual(["to", "browser"]);
    const page = await site.ask(main.pathname + main.search, { cookie, headers: linked });
    expect([page.status, page.body.includes('post("/enter"')]).toEqual([200, true]);
    const content = { agent_id: ada.id, key: site.keyOf(ada, cookie), from: main.pathname + main.search };
    const { body } = await site.ask("/enter", { cookie, ...json(content) });
    const url = new URL(JSON.parse(body).location);
    expect(url.origin).toBe(`http://${ada.id}.localhost:${port}`);
    expect(url.pathname).toBe("/__changelings/enter");
    expect([...url.searchParams.keys()]).toEqual(["ticket", "to"]);
    expect(url.searchParams.get("to")).toBe("/chat?x=1&y=%2F");

    const { host } = url;
    const second = await site.ask(url.pathname + url.search, { host, cookie: asked.cookie, headers: linked });
    expect(second.headers["set-cookie"]).toEqual([
      expect.stringMatching(
        new RegExp(
          `^changeling_[0-9a-f]{32}=[\\w.-]+; Max-Age=\\d+; Path=/; HttpOnly; SameSite=Lax; Domain=${ada.id}.localhost$`,
        ),
      ),
    ]);
    expect(second.location).toBe(`${url.origin}/__changelings/enter?to=%2Fchat%3Fx%3D1%26y%3D%252F`);
    expect(second.headers["referrer-policy"]).toBe("no-referrer");

    const third = await site.ask(second.location?.slice(url.origin.length) ?? "", { host, cookie: second.cookie });
    expect([third.status, third.location]).toEqual([302, `${url.origin}/chat?x=1&y=%2F`]);
    expect((await site.ask("/chat?x=1&y=%2F", { host, cookie: second.cookie })).body).toBe("ada -  /chat?x=1&y=%2F");
    expect(site.proxied.at(-1)).toEqual({
      ...{ agent: ada, server: undefined, prefix: "", path: "/chat?x=1&y=%2F", publicOrigin: url.origin },
    });

    const again = await site.ask(url.pathname + url.search, { host, cookie: asked.cookie, headers: linked });
    expect([again.status, again.headers["set-cookie"]]).toEqual([403, undefined]);
    expect(again.body).toContain("Not logged in here");
  });

  it("accepts the ticket only from the browser that it is for", async () => {
    await using site = await openSite();
    const { url, browser } = await ticketFor(site, await site.login(ada));
    const path = url.pathname + url.search;
    const another = (await site.ask("/", { host: url.host, headers: linked })).cookie;
    for (const cookie of [undefined, another, browser.replace(/.$/, (last) => (last === "A" ? "B" : "A"))]) {
      const { status, headers } = await site.ask(path, { host: url.host, cookie, headers: linked });
      expect([status, headers["set-cookie"]]).toEqual([403, undefined]);
    }
    // A script of the agent can put a cookie of its own beside it.
    const { status } = await site.ask(path, { host: url.host, cookie: `${another}; ${browser}`, headers: linked });
    expect(status).toBe(302);
  });

  it("does not accept the main origin's cookie without its key, which other ports of its host do not get", async () => {
    await using site = await openSite();
    const cookie = await site.login(ada);
    expect(cookie).not.toContain(ada.id);
    const host = hostOf(site, ada.id);
    const from = new URL((await site.ask("/", { host, headers: linked })).location ?? "");
    const tries = [site.keyOf(ada, await site.login(ada)), "k".repeat(43), "", undefined].map((key) =>
      site.ask("/enter", { cookie, ...json({ agent_id: ada.id, key, from: from.pathname + from.search }) }),
    );
    expect((await Promise.all(tries)).map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    const content = { agent_id: ada.id, key: site.keyOf(ada, cookie), from: from.pathname + from.search };
    expect((await site.ask("/enter", json(content))).status).toBe(403);
    expect((await site.ask("/enter", { cookie, ...json(content) })).status).toBe(200);
    expect((await site.ask("/enter", { cookie, ...json({ ...content, agent_id: bob.id }) })).status).toBe(403);
    for (const path of ["/", "/login", `/${ada.id}/`, "/logout"])
      expect((await site.ask(path, { cookie, headers: navigation })).body).not.toContain("ada");
  });

  it("works from every start, without redirect loops", async () => {
    await using site = await openSite();
    const own = `http://${hostOf(site, ada.id)}/deep/page?q=1`;
    const browser = site.browser();
    const stranger = await browser.open(own);
    expect([stranger.url, stranger.status]).toEqual([`${site.server.url}/`, 200]);
    await browser.open(site.server.loginUrl(ada.id).url.replace("/login", "/authenticate"));
    expect(await browser.open(own)).toMatchObject({ url: own, body: "ada -  /deep/page?q=1" });
    expect(await browser.open(`/${ada.id}/x`)).toMatchObject({
      url: `http://${hostOf(site, ada.id)}/x`,
      body: "ada -  /x",
    });
    expect((await browser.open(`http://${hostOf(site, bob.id)}/`)).url).toBe(`${site.server.url}/`);
    // The login ends while the agent's page is open.
    site.server.revoke(ada.id);
    expect((await browser.open(own)).url).toBe(`${site.server.url}/`);
  });

  it("shows a page to a browser without cookies, instead of a redirect loop", async () => {
    await using site = await openSite();
    const cookie = await site.login(ada);
    let url = new URL(`${site.server.url}/${ada.id}/`);
    const seen: number[] = [];
    for (let hop = 0; hop < 5; hop++) {
      const kept = url.host === new URL(site.server.url).host ? cookie : undefined;
      const asked = { host: url.host, cookie: kept, headers: linked };
      const { status, location, body } = await site.ask(url.pathname + url.search, asked);
      if (body.includes('post("/enter"')) {
        const content = { agent_id: ada.id, key: site.keyOf(ada, cookie), from: url.pathname + url.search };
        url = new URL(JSON.parse((await site.ask("/enter", { cookie, ...json(content) })).body).location);
        continue;
      }
      seen.push(status);
      if (location === undefined) break;
      url = new URL(location);
    }
    expect(seen).toEqual([302, 302, 403]);
  });

  it("leads to each of an agent's other servers whose name can be a host name", async () => {
    await using site = await openSite([many]);
    const cookie = await site.login(ada);
    const goal = async (path: string) => {
      const { location = "" } = await site.ask(path, { cookie, headers: navigation });
      const url = new URL(location);
      return `${url.host.replace(`${ada.id}.localhost:${site.server.port}`, "<own>")} ${url.pathname}${url.search}`;
    };
    expect(await goal(`/${ada.id}`)).toBe("<own> /");
    expect(await goal(`/${ada.id}?a=1`)).toBe("<own> /?a=1");
    expect(await goal(`/${ada.id}/api`)).toBe("api.<own> /");
    expect(await goal(`/${ada.id}/api/v1?a=1`)).toBe("api.<own> /v1?a=1");
    expect(await goal(`/${ada.id}/api?a=1`)).toBe("api.<own> /?a=1");
    expect(await goal(`/${ada.id}/apis`)).toBe("<own> /apis");
    expect(await goal(`/${ada.id}/web/x`)).toBe("<own> /web/x");
    expect(await goal(`/${ada.id}/Two%20words/x`)).toBe("<own> /Two%20words/x");

    const browser = site.browser();
    await browser.open(site.server.loginUrl(ada.id).url.replace("/login", "/authenticate"));
    const api = `http://${hostOf(site, ada.id, "api")}/v1`;
    expect(await browser.open(api)).toMatchObject({ url: api, body: "ada api  /v1" });
    // A path of its own page that is called like another server stays its own.
    const own = `http://${hostOf(site, ada.id)}/api/v1`;
    expect(await browser.open(own)).toMatchObject({ url: own, body: "ada -  /api/v1" });
  });

  it("is closed without a cookie, whether or not the agent exists", async () => {
    await using site = await openSite();
    const nobody = `agent-${"0".repeat(32)}`;
    const answers = async (id: string) => {
      const asked = [
        site.ask(`/${id}/x`, { headers: navigation }),
        site.ask(`/${id}/x`, { headers: linked }),
        site.ask(`/${id}/x`, { headers: { accept: "text/html" } }),
        site.ask(`/${id}/x`),
        site.ask(`/${id}/x`, { method: "POST" }),
        site.ask("/x", { host: hostOf(site, id), headers: navigation }),
        site.ask("/x", { host: hostOf(site, id) }),
        site.ask("/x", { host: hostOf(site, id, "api"), method: "POST" }),
      ];
      return (await Promise.all(asked)).map(({ status, location, body }) =>
        [status, location?.replace(id, "<id>").replace(/[\w-]{43}$/, "<digest>"), body.split("\n", 1)[0]].join(" "),
      );
    };
    const { url } = site.server;
    expect(await answers(ada.id)).toEqual([
      `302 ${url}/ `,
      "200  <!doctype html>",
      `302 ${url}/ `,
      "401  Log in first.",
      "401  Log in first.",
      `302 ${url}/<id>/__changelings/enter?to=%2Fx&browser=<digest> `,
      "401  Log in first.",
      "401  Log in first.",
    ]);
    expect(await answers(nobody)).toEqual(await answers(ada.id));
    expect(site.proxied).toEqual([]);
  });

  it("redirects requests with a body unchanged", async () => {
    await using site = await openSite();
    const cookie = await site.login(ada);
    const { status, location } = await site.ask(`/${ada.id}/message`, { cookie, method: "POST", body: "hello" });
    expect([status, location]).toEqual([307, `http://${hostOf(site, ada.id)}/message`]);
  });
});

describe("a cookie", () => {
  it("gives access neither to another agent, nor to another kind of origin", async () => {
    await using site = await openSite();
    const main = await site.login(ada);
    const own = await enter(site, main);
    const swapped = (cookie: string) => cookie.replace(/^[^=]*/, site.access.cookieName(bob.id));
    for (const [path, host, cookie] of [
      [`/${bob.id}/`, undefined, main],
      [`/${bob.id}/`, undefined, swapped(main)],
      [`/${ada.id}/`, undefined, own],
      ["/", hostOf(site, ada.id), main],
      ["/", hostOf(site, bob.id), own],
      ["/", hostOf(site, bob.id), swapped(own)],
    ] as const) {
      const { status } = await site.ask(path, { cookie, ...(host === undefined ? {} : { host }) });
      expect([path, host, status]).toEqual([path, host, 401]);
    }
    expect(site.proxied).toEqual([]);
  });

  it("of a removed agent leads to a 404", async () => {
    await using site = await openSite([]);
    const cookie = await site.login(ada);
    expect((await site.ask(`/${ada.id}/`, { cookie })).status).toBe(404);
  });
});

describe("/__changelings/", () => {
  it("leads to the main origin for a logout, since a worker of the agent answers here", async () => {
    await using site = await openSite();
    const main = await site.login(ada);
    const cookie = await enter(site, main);
    const host = hostOf(site, ada.id);
    for (const method of ["GET", "POST"]) {
      const { status, location } = await site.ask("/__changelings/logout", { host, cookie, method });
      expect([status, location]).toEqual([303, `${site.server.url}/logout?agent_id=${ada.id}`]);
    }
    const asking = await site.ask(`/logout?agent_id=${ada.id}`, { cookie: main, headers: linked });
    expect([asking.status, asking.headers["set-cookie"]]).toEqual([200, undefined]);
    expect(asking.body).toContain("Log out of ada");
    expect(asking.body).toContain(`<form method="post" action="/logout?agent_id=${ada.id}">`);
    expect((await site.ask(`/logout?agent_id=${ada.id}`, { headers: linked })).body).not.toContain("ada");
    await site.ask(`/logout?agent_id=${ada.id}`, { cookie: main, method: "POST" });
    expect((await site.ask("/", { host, cookie })).status).toBe(401);
    expect(await site.list([[ada, main]])).toContain("not logged in to any");
  });

  it("never reaches the agent", async () => {
    await using site = await openSite();
    const cookie = await enter(site, await site.login(ada));
    // For agents' pages to link to.
    const home = await site.ask("/__changelings/", { host: hostOf(site, ada.id), cookie });
    expect([home.status, home.location]).toEqual([302, `http://localhost:${site.server.port}/`]);
    for (const path of ["/__changelings/other", "/__changelings/enter/x"])
      expect((await site.ask(path, { host: hostOf(site, ada.id), cookie })).status).toBe(404);
    expect(
      (await site.ask("/__changelings/logout", { host: hostOf(site, ada.id), cookie, method: "PUT" })).status,
    ).toBe(405);
    expect(site.proxied).toEqual([]);
  });
});
