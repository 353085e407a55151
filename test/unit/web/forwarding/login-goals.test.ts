import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pathOn } from "../../../../components/web/forwarding/program/enter.ts";
import { ada, enter, hostOf, openSite } from "../../../support/forwarding-site.ts";

describe("the target of a login", () => {
  const origin = "http://a.localhost:8420";

  it.each([
    ["/", "/"],
    ["/a/b?c=d&e", "/a/b?c=d&e"],
    ["/a#b", "/a"],
    ["", "/"],
    ["a", "/"],
    ["//evil.example", "/"],
    ["//evil.example/a", "/"],
    ["/\\evil.example", "/"],
    ["\\\\evil.example", "/"],
    ["/\t/evil.example", "/"],
    ["/\n/evil.example", "/"],
    ["http://evil.example/", "/"],
    ["javascript:alert(1)", "/"],
    ["/.//evil.example", "//evil.example"],
    ["/a/..//evil.example", "//evil.example"],
    ["/%0d%0aset-cookie:x=1", "/%0d%0aset-cookie:x=1"],
    ["/a\r\nset-cookie: x=1", "/aset-cookie:%20x=1"],
    ["/__changelings/enter?to=/", "/"],
    ["/x/../__changelings/logout", "/"],
    ["/é", "/%C3%A9"],
  ])("%j", (to, path) => {
    expect(pathOn(origin, to)).toBe(origin + path);
  });

  it("is never another origin", () => {
    const unit = fc.constantFrom(..."/\\:@?#.%ae\t\r\n ");
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit }), fc.string(), fc.webUrl()), (to) => {
        const url = new URL(pathOn(origin, to));
        expect(url.origin).toBe(origin);
        expect(url.href).not.toMatch(/[\r\n\t]/);
      }),
    );
  });

  it.each(["//evil.example/", "/\\evil.example", "/%0d%0aset-cookie:x=1", "/.//evil.example/"])(
    "from the main origin, after %j",
    async (path) => {
      await using site = await openSite();
      const cookie = await site.login(ada);
      const own = await enter(site, cookie);
      const host = hostOf(site, ada.id);
      const query = new URLSearchParams({ to: path });
      const { location, headers } = await site.ask(`/__changelings/enter?${query}`, { host, cookie: own });
      expect(new URL(location ?? "").host).toBe(host);
      expect(headers["set-cookie"]).toBeUndefined();
    },
  );

  it.each([".evil.example/", "@evil.example/", "//evil.example/", "\r\nset-cookie: x=1", "/€"])(
    "from the main origin's path, after %j",
    async (to) => {
      await using site = await openSite();
      const cookie = await site.login(ada);
      const query = new URLSearchParams({ to });
      for (const method of ["HEAD", "GET", "POST"]) {
        const path = `/${ada.id}/__changelings/enter?${query}`;
        const { location, headers } = await site.ask(path, { cookie, method });
        expect(new URL(location ?? "").host).toBe(hostOf(site, ada.id));
        expect(headers["set-cookie"]).toBeUndefined();
      }
      expect(site.log.filter((line) => line.includes("failed"))).toEqual([]);
    },
  );
});
