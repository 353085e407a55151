import { describe, expect, it } from "vitest";
import { ada, bob, json, navigation, openSite } from "../../../support/forwarding-site.ts";

describe("/login", () => {
  it("does not use up the code, and continues by a script or by its button", async () => {
    await using site = await openSite();
    const { url } = site.server.loginUrl(ada.id);
    const { search, searchParams } = new URL(url);
    for (let i = 0; i < 3; i++) {
      const { status, body, headers } = await site.ask(`/login${search}`);
      expect(status).toBe(200);
      expect(body).toContain('location.replace("/authenticate" + location.search)');
      expect(body).toContain(`<input type="hidden" name="one_time_code" value="${searchParams.get("one_time_code")}">`);
      expect(body).toContain(`<input type="hidden" name="agent_id" value="${ada.id}">`);
      expect(headers["set-cookie"]).toBeUndefined();
      expect(headers["referrer-policy"]).toBe("no-referrer");
      expect(headers["cache-control"]).toBe("no-store");
    }
    expect((await site.ask(`/authenticate${search}`)).status).toBe(302);
  });

  it("redirects to / if already logged in, and keeps the code", async () => {
    await using site = await openSite();
    const cookie = await site.login(ada);
    const { search } = new URL(site.server.loginUrl(ada.id).url);
    expect(await site.ask(`/login${search}`, { cookie })).toMatchObject({ status: 302, location: "/" });
    expect((await site.ask(`/authenticate${search}`)).status).toBe(302);
  });

  it.each([
    "",
    "?agent_id=x&one_time_code=y",
    `?agent_id=${ada.id}`,
    `?agent_id=${ada.id}&agent_id=${ada.id}&one_time_code=a`,
  ])("can't be used with %j", async (search) => {
    await using site = await openSite();
    expect(await site.ask(`/login${search}`)).toMatchObject({ status: 403 });
  });
});

describe("/authenticate", () => {
  it("sets the agent's cookie for a valid code, once", async () => {
    await using site = await openSite();
    const { search } = new URL(site.server.loginUrl(ada.id).url);
    const { status, location, headers } = await site.ask(`/authenticate${search}`);
    expect([status, location]).toEqual([302, expect.stringMatching(new RegExp(`^/#${ada.id}=[\\w-]{43}$`))]);
    // Its name does not tell the agent: other ports of this host get it, too.
    expect(headers["set-cookie"]).toEqual([
      expect.stringMatching(/^changeling_[0-9a-f]{32}=[\w.-]+; Max-Age=3600; Path=\/; HttpOnly; SameSite=Strict$/),
    ]);
    expect(headers["referrer-policy"]).toBe("no-referrer");
    expect(headers["cache-control"]).toBe("no-store");
    expect((await site.ask(`/authenticate${search}`)).headers["set-cookie"]).toBeUndefined();
  });

  it("accepts one of fifty concurrent requests", async () => {
    await using site = await openSite();
    const { search } = new URL(site.server.loginUrl(ada.id).url);
    const answers = await Promise.all(Array.from({ length: 50 }, () => site.ask(`/authenticate${search}`)));
    const byStatus = Map.groupBy(answers, ({ status }) => status);
    expect([byStatus.get(302)?.length, byStatus.get(403)?.length]).toEqual([1, 49]);
    expect(answers.filter(({ headers }) => headers["set-cookie"] !== undefined)).toHaveLength(1);
  });

  it("shows the same page for every invalid code, with how to create a new one", async () => {
    await using site = await openSite();
    const used = new URL(site.server.loginUrl(ada.id).url).search;
    await site.ask(`/authenticate${used}`);
    const revoked = new URL(site.server.loginUrl(bob.id).url).search;
    site.server.revoke(bob.id);
    const good = new URL(site.server.loginUrl(ada.id).url).search;
    const bad = [
      used,
      revoked,
      good.replace(ada.id, bob.id),
      `?agent_id=${ada.id}&one_time_code=${"A".repeat(43)}`,
      `?agent_id=agent-${"0".repeat(32)}&one_time_code=${"A".repeat(43)}`,
      `?agent_id=${ada.id}&one_time_code=%0d%0aset-cookie:x=1`,
      "",
    ];
    const answers = await Promise.all(bad.map((search) => site.ask(`/authenticate${search}`)));
    const seen = answers.map(({ status, body, headers: { date, ...headers } }) => {
      const { "x-ratelimit-remaining": _, "content-length": __, ...others } = headers;
      // Who gave an agent's id gets it back, whether there is such an agent or not.
      const said = body.replace(/<div class="command">.*(?=<.main>)/s, "");
      return JSON.stringify({ status, said, headers: others });
    });
    expect(new Set(seen).size).toBe(1);
    expect(answers[0]?.status).toBe(403);
    expect(answers.map(({ body }) => /<pre>npx changeling login-url (.*)<\/pre>/.exec(body)?.[1])).toEqual([
      ...[ada.id, bob.id, bob.id, ada.id, `agent-${"0".repeat(32)}`, "NAME", "NAME"],
    ]);
    expect((await site.ask(`/authenticate${good}`)).status).toBe(302);
  });

  it.each([
    { "sec-purpose": "prefetch" },
    { "sec-purpose": "prefetch;prerender" },
    { purpose: "prefetch" },
    { "x-moz": "prefetch" },
    { "x-purpose": "preview" },
  ])("is not used up by prefetching: %j", async (headers) => {
    await using site = await openSite();
    const { search } = new URL(site.server.loginUrl(ada.id).url);
    const ahead = await site.ask(`/authenticate${search}`, { headers });
    expect([ahead.status, ahead.headers["set-cookie"]]).toEqual([503, undefined]);
    expect((await site.ask(`/authenticate${search}`)).status).toBe(302);
  });

  it.each(["HEAD", "OPTIONS", "POST", "PUT"])("is not used up by %s", async (method) => {
    await using site = await openSite();
    const { search } = new URL(site.server.loginUrl(ada.id).url);
    expect((await site.ask(`/authenticate${search}`, { method })).headers["set-cookie"]).toBeUndefined();
    expect((await site.ask(`/authenticate${search}`)).status).toBe(302);
  });

  it("limits failures, but always accepts a valid code", async () => {
    await using site = await openSite();
    const { search } = new URL(site.server.loginUrl(ada.id).url);
    for (const path of ["/authenticate", "/login"]) {
      for (let i = 0; i < 60; i++) expect((await site.ask(`${path}?agent_id=x`)).status).toBe(403);
      const { status, headers } = await site.ask(`${path}?agent_id=x`);
      expect([status, Number(headers["retry-after"])]).toEqual([429, expect.closeTo(60, -1)]);
    }
    expect((await site.ask(`/login${search}`)).status).toBe(200);
    expect((await site.ask(`/authenticate${search}`)).status).toBe(302);
    expect((await site.ask("/")).status).toBe(200);
  });

  it("never counts successes, and counts each client behind a trusted proxy separately", async () => {
    await using site = await openSite([ada], { trustedProxies: ["127.0.0.1"] });
    for (let i = 0; i < 70; i++) {
      const { search } = new URL(site.server.loginUrl(ada.id).url);
      expect((await site.ask(`/authenticate${search}`)).status).toBe(302);
    }
    const fail = async (from: string) =>
      (await site.ask("/authenticate", { headers: { "x-forwarded-for": from } })).status;
    for (let i = 0; i < 60; i++) await fail(`198.51.100.${i}, 203.0.113.7`);
    expect([await fail("203.0.113.7"), await fail("203.0.113.8")]).toEqual([429, 403]);
  });
});

describe("/", () => {
  it("lists the agents whose valid cookie and key the browser has, and no other", async () => {
    await using site = await openSite();
    const [adas, bobs] = [await site.login(ada), await site.login(bob)];
    const listed = async (...logins: Parameters<typeof site.list>[0]) => {
      const html = await site.list(logins);
      return [...html.matchAll(/<li>\n<div class="name"><a href="\/([^/]+)\//g)].map(([, id]) => id);
    };
    expect(await listed()).toEqual([]);
    expect(await listed([ada, adas])).toEqual([ada.id]);
    expect(await listed([bob, bobs], [ada, adas])).toEqual([ada.id, bob.id]);
    expect(await listed([ada, adas], [bob, bobs.replace(/.$/, "!")])).toEqual([ada.id]);
    expect(await listed([bob, adas])).toEqual([]);
    // Cookies alone may have been collected.
    for (const cookie of [undefined, adas, `${adas}; ${bobs}`]) {
      const { status, body } = await site.ask("/", { cookie, headers: navigation });
      expect([status, body.includes(ada.id), body.includes(">ada<")]).toEqual([200, false, false]);
    }
    expect((await site.ask("/")).body).toContain("This browser is not logged in to any changeling.");
  });

  it("removes cookies without a key, so that a login URL can be used again", async () => {
    await using site = await openSite();
    const [adas, bobs] = [await site.login(ada), await site.login(bob)];
    const cookie = `${adas}; ${bobs}; theirs=1`;
    const { headers, body } = await site.ask("/agents", {
      cookie,
      ...json({ keys: [[ada.id, site.keyOf(ada, adas)]] }),
    });
    expect(headers["set-cookie"]).toEqual([expect.stringMatching(new RegExp(`^${bobs.split("=")[0]}=; Max-Age=0;`))]);
    expect(JSON.parse(body).keys).toEqual([[ada.id, site.keyOf(ada, adas)]]);
  });

  it("with agents on one origin lists those whose valid cookie the browser has", async () => {
    await using site = await openSite([ada, bob], { routing: "path" });
    const [adas, bobs] = [await site.login(ada), await site.login(bob)];
    const listed = async (cookie: string | undefined) => {
      const { status, body } = await site.ask("/", { cookie });
      expect(status).toBe(200);
      return [...body.matchAll(/<li>\n<div class="name"><a href="\/([^/]+)\//g)].map(([, id]) => id);
    };
    expect(await listed(undefined)).toEqual([]);
    expect(await listed(adas)).toEqual([ada.id]);
    expect(await listed(`${bobs}; ${adas}`)).toEqual([ada.id, bob.id]);
    expect(await listed(`${adas}; ${bobs.replace(/.$/, "!")}`)).toEqual([ada.id]);
    expect(await listed(adas.replaceAll(ada.id, bob.id))).toEqual([]);
    expect((await site.ask("/")).body).toContain("This browser is not logged in to any changeling.");
  });

  it("does not list a removed agent", async () => {
    await using site = await openSite([]);
    expect(await site.list([[ada, await site.login(ada)]])).toContain("not logged in to any");
  });
});

describe("an error in one request", () => {
  it("is logged and answered, and does not end the server", async () => {
    await using site = await openSite();
    const cookie = await site.login(ada);
    const { find } = site.agents;
    site.agents.find = () => {
      throw new Error("out of order");
    };
    const { status, body } = await site.ask(`/${ada.id}/?secret`, { cookie });
    expect([status, body]).toEqual([500, "The forwarding server could not do this; its log says why.\n"]);
    const upgrade = { connection: "upgrade", upgrade: "websocket" };
    await expect(site.ask(`/${ada.id}/`, { cookie, headers: upgrade })).rejects.toThrow("socket hang up");
    site.agents.find = find;
    expect((await site.ask(`/${ada.id}/`, { cookie })).status).toBe(302);
    const logged = site.log.filter((line) => line.includes("out of order"));
    expect(logged.map((line) => line.split("\n")[0])).toEqual(
      Array(2).fill(`GET /${ada.id}/ failed: Error: out of order`),
    );
  });
});

describe("/logout", () => {
  const formPost = { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" } };

  it("ends only the session of one agent, on every origin", async () => {
    await using site = await openSite();
    const browser = site.browser();
    for (const agent of [ada, bob]) {
      await browser.open(site.server.loginUrl(agent.id).url.replace("/login", "/authenticate"));
      expect((await browser.open(`/${agent.id}/`)).body).toBe(`${agent.name} -  /`);
    }
    const cookie = await site.login(ada);
    const { status, location, headers } = await site.ask(`/logout?agent_id=${ada.id}`, { ...formPost, cookie });
    expect([status, location]).toEqual([303, "/"]);
    expect(headers["set-cookie"]).toEqual([
      `${site.access.cookieName(ada.id)}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax`,
    ]);
    expect(await site.list([[ada, cookie]])).toContain("not logged in to any");
    // It was another session than the browser's.
    expect((await browser.open("/")).body).toContain(ada.id);
    expect((await browser.open(`/${ada.id}/`)).body).toBe("ada -  /");
  });

  it("is only for pages of the main origin", async () => {
    await using site = await openSite();
    const cookie = await site.login(ada);
    const agentOrigin = `http://${ada.id}.localhost:${site.server.port}`;
    for (const headers of [
      { origin: "http://evil.example" },
      { origin: agentOrigin },
      { origin: "null" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    ]) {
      const { status } = await site.ask(`/logout?agent_id=${ada.id}`, {
        method: "POST",
        cookie,
        headers: { ...headers },
      });
      expect([headers, status]).toEqual([headers, 403]);
    }
    expect((await site.ask(`/logout?agent_id=${ada.id}`, { cookie })).status).toBe(200);
    expect(await site.list([[ada, cookie]])).toContain(ada.id);
    // A page without a referrer sends no better Origin.
    const headers = { ...formPost.headers, origin: "null", "sec-fetch-site": "same-origin" };
    expect((await site.ask(`/logout?agent_id=${ada.id}`, { method: "POST", cookie, headers })).status).toBe(303);
  });
});
