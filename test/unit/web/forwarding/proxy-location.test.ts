import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { responseHeaders } from "../../../../components/web/forwarding/program/proxy/rewrite-headers.ts";
import { rewriteLocation } from "../../../../components/web/forwarding/program/proxy/rewrite-location.ts";
import type { Route } from "../../../../components/web/forwarding/program/proxy/route.ts";
import { host, id, path } from "../../../support/proxy-routes.ts";

describe("rewriteLocation", () => {
  const own = host.publicOrigin;
  const shared = `http://localhost:8420/${id}`;
  const behindTls: Route = { ...host, publicOrigin: "https://agents.example.com:8443" };
  const based: Route = { ...host, upstream: new URL("http://127.0.0.1:9000/app/") };
  it.each([
    ["/next", host, "/next"],
    ["next", host, "next"],
    ["?a", host, "?a"],
    ["http://127.0.0.1:9000/next?a=b#c", host, `${own}/next?a=b#c`],
    ["http://localhost:9000/next", host, `${own}/next`],
    ["HTTP://127.0.0.1:9000", host, `${own}/`],
    ["//127.0.0.1:9000/next", host, `${own}/next`],
    ["http://127.0.0.1:9000//evil.example", host, `${own}//evil.example`],
    [`${own}/next`, host, `${own}/next`],
    // An agent that does not know of the TLS in front of us.
    ["http://agents.example.com:8443/next", behindTls, "https://agents.example.com:8443/next"],
    ["https://agents.example.com/next", behindTls, "https://agents.example.com/next"],
    [`${own.replace("http:", "https:")}/next`, host, `${own.replace("http:", "https:")}/next`],
    ["http://127.0.0.1:9001/next", host, "http://127.0.0.1:9001/next"],
    ["https://127.0.0.1:9000/next", host, "https://127.0.0.1:9000/next"],
    ["https://example.com/", host, "https://example.com/"],
    ["mailto:a@example.com", host, "mailto:a@example.com"],
    ["http://[", host, "http://["],
    ["/next", path, `${shared}/next`],
    ["/", path, `${shared}/`],
    ["next", path, `${shared}/docs/next`],
    ["../../../../..", path, `${shared}/`],
    ["http://127.0.0.1:9000/next", path, `${shared}/next`],
    ["http://localhost:8420/next", path, `${shared}/next`],
    [`/${id}/next`, path, `${shared}/next`],
    ["//example.com/x", path, "//example.com/x"],
    ["https://example.com/x", path, "https://example.com/x"],
    ["http://127.0.0.1:9000/app/next", based, `${own}/next`],
    ["/app/next", based, `${own}/next`],
    ["/app", based, `${own}/`],
    ["next", based, `${own}/docs/next`],
    // As Node reads the bytes of "/grün".
    ["http://127.0.0.1:9000/gr\u00c3\u00bcn", host, `${own}/gr%C3%BCn`],
  ])("%s → %s", (location, route, expected) => {
    expect(rewriteLocation(location, route)).toBe(expected);
  });

  const others = (shares: boolean) => () => [
    {
      url: new URL("http://127.0.0.1:9000/"),
      publicOrigin: shares ? "http://localhost:8420" : own,
      prefix: shares ? `/${id}` : "",
    },
    {
      url: new URL("http://127.0.0.1:9200/base/"),
      publicOrigin: shares ? "http://localhost:8420" : own.replace("//", "//admin."),
      prefix: shares ? `/${id}/admin` : "",
    },
  ];
  it.each([
    ["http://127.0.0.1:9200/base/next?a#b", host, `${own.replace("//", "//admin.")}/next?a#b`],
    ["//localhost:9200/next", host, `${own.replace("//", "//admin.")}/next`],
    ["http://127.0.0.1:9000/next", host, `${own}/next`],
    ["http://127.0.0.1:9200/base/next", path, `${shared}/admin/next`],
    ["http://127.0.0.1:9201/next", path, "http://127.0.0.1:9201/next"],
    ["https://127.0.0.1:9200/next", host, "https://127.0.0.1:9200/next"],
  ])("another server of the agent: %s → %s", (location, route, expected) => {
    expect(rewriteLocation(location, { ...route, others: others(route === path) })).toBe(expected);
  });

  it.each([
    ["5", host, "5"],
    ["5; url=/next", host, "5; url=/next"],
    ["0;URL='http://127.0.0.1:9000/next'; more", host, `0;URL='${own}/next'`],
    ['1.5, url = "http://localhost:9000/"', host, `1.5, url = "${own}/"`],
    ["3 http://127.0.0.1:9200/x", host, `3 ${own.replace("//", "//admin.")}/x`],
    ["5; url=/next", path, `5; url=${shared}/next`],
    ["5; url=https://example.com/", path, "5; url=https://example.com/"],
    ["", path, ""],
    ["what?", path, "what?"],
  ])("Refresh: %s → %s", (value, route, expected) => {
    const headers = responseHeaders(["Refresh", value], { ...route, others: others(route === path) });
    expect(headers).toEqual(["Refresh", expected]);
  });

  it("never leads elsewhere than the agent's URL, nor out of a shared origin's prefix", () => {
    const location = fc.oneof(
      fc.webUrl(),
      fc.stringMatching(/^[/\\.:?#@a-z0-9[\] ]{0,24}$/),
      fc.stringMatching(/^[/.a-z]{0,12}$/).map((rest) => `http://127.0.0.1:9000/${rest}`),
    );
    fc.assert(
      fc.property(location, fc.constantFrom(host, path, based), (text, route) => {
        const rewritten = rewriteLocation(text, route);
        const page = `${route.publicOrigin}${route.prefix}/docs/page`;
        if (!URL.canParse(rewritten, page)) return;
        const to = new URL(rewritten, page);
        if (rewritten !== text) expect(to.origin).toBe(route.publicOrigin);
        if (to.origin === route.publicOrigin) expect(`${to.pathname}/`.startsWith(`${route.prefix}/`)).toBe(true);
        expect(rewriteLocation(rewritten, route)).toBe(rewritten);
      }),
    );
  });
});
