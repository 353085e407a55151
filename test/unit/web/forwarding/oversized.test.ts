import { describe, expect, it } from "vitest";
import { ada, hostOf, navigation, openSite } from "../../../support/forwarding-site.ts";

const many = Array.from({ length: 100 }, (_, n) => `junk${n}=${"x".repeat(1000)}`).join("; ");

describe("too many cookies that an agent's page has set for the whole site", () => {
  it("are removed, but not ours", async () => {
    await using site = await openSite([ada], { publicUrl: "https://agents.example.com" });
    const host = "agents.example.com";
    const { url } = site.server.loginUrl(ada.id);
    const { cookie: own } = await site.ask(`/authenticate${new URL(url).search}`, { host });
    const asked = { host, cookie: `${many}; ${own}`, headers: navigation };
    const { status, location, headers } = await site.ask("/a/b?x=1", asked);
    expect([status, location]).toEqual([302, "https://agents.example.com/a/b?x=1&changelings-removed-cookies=1"]);
    const removed = headers["set-cookie"] ?? [];
    for (const path of ["/", "/a", "/a/b"]) {
      for (const domain of ["", "; Domain=agents.example.com"])
        expect(removed).toContain(`junk7=; Max-Age=0; Path=${path}${domain}`);
    }
    expect(removed.filter((each) => each.includes("changeling_"))).toEqual([]);
    expect((await site.ask("/a/b?x=1", { host, cookie: own, headers: navigation })).status).toBe(404);
  });

  it("are removed from an agent's own host, too", async () => {
    await using site = await openSite();
    const host = hostOf(site, ada.id);
    const { status, location, headers } = await site.ask("/", { host, cookie: many, headers: navigation });
    expect([status, location]).toEqual([302, `http://${host}/?changelings-removed-cookies=1`]);
    expect(headers["set-cookie"]).toContain(`junk0=; Max-Age=0; Path=/; Domain=${ada.id}.localhost`);
  });

  it("are removed with all others if that is not enough, and the page says so", async () => {
    await using site = await openSite();
    const { status, body, headers } = await site.ask("/?changelings-removed-cookies=1", {
      ...{ cookie: many, headers: navigation },
    });
    expect([status, headers["clear-site-data"]]).toEqual([431, '"cookies"']);
    expect(body).toContain("changeling login-url NAME");
  });

  it("are not removed if the request is large for another reason, or not a navigation", async () => {
    await using site = await openSite();
    const large = "a".repeat(70_000);
    for (const [path, question] of [
      [`/?changelings-removed-cookies=1&${large}`, { headers: navigation }],
      ["/", { headers: { ...navigation, "x-a": large } }],
      ["/?changelings-removed-cookies=1", { cookie: many }],
    ] as const) {
      const { status, headers } = await site.ask(path, question);
      expect([status, headers["clear-site-data"], headers["set-cookie"]]).toEqual([431, undefined, undefined]);
    }
  });
});
