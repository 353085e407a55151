import { describe, expect, it } from "vitest";
import { withAddedHeaders } from "../../../../components/web/forwarding/program/proxy/added-headers.ts";
import { ada, bob, enter, hostOf, openSite } from "../../../support/forwarding-site.ts";

const frameAncestors = "'self' http://own";
const policy = ["Content-Security-Policy", `frame-ancestors ${frameAncestors}`];

describe("an agent's response", () => {
  it("can only be framed by its own pages, unless it sets a policy", () => {
    const silent = ["Content-Type", "text/html", "content-security-policy", "default-src 'self'; img-src *"];
    expect(withAddedHeaders(silent, { frameAncestors })).toEqual([...silent, ...policy]);
    for (const own of [
      ["Content-Security-Policy", "frame-ancestors *"],
      ["content-security-policy", "default-src 'self';Frame-Ancestors https://portal.example"],
      ["Content-Security-Policy", "default-src 'self', frame-ancestors 'none'"],
      ["X-Frame-Options", "SAMEORIGIN"],
    ])
      expect(withAddedHeaders(own, { frameAncestors })).toEqual(own);
    const reportOnly = ["Content-Security-Policy-Report-Only", "frame-ancestors 'none'"];
    expect(withAddedHeaders(reportOnly, { frameAncestors })).toEqual([...reportOnly, ...policy]);
  });

  it("can be read by pages of the agent's other servers, whatever CORS headers it sets", () => {
    const headers = ["access-control-allow-origin", "*", "X-A", "1", "Access-Control-Allow-Credentials", "false"];
    expect(withAddedHeaders(headers, { frameAncestors, sharedWith: "http://api.own" })).toEqual([
      ...["X-A", "1", ...policy],
      ...[
        "Access-Control-Allow-Origin",
        "http://api.own",
        "Access-Control-Allow-Credentials",
        "true",
        "Vary",
        "Origin",
      ],
    ]);
    expect(withAddedHeaders(headers, { frameAncestors })).toEqual([...headers, ...policy]);
  });
});

describe("a page of one server of an agent", () => {
  it("may send requests to another server with its login, but no page of another agent may", async () => {
    await using site = await openSite();
    const cookie = await enter(site, await site.login(ada));
    const [web, api] = [`http://${hostOf(site, ada.id)}`, hostOf(site, ada.id, "api")];
    const asks = { origin: web, "sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" };
    const preflight = {
      ...asks,
      "access-control-request-method": "PUT",
      "access-control-request-headers": "x-own,content-type",
    };
    const allowed = await site.ask("/data", { host: api, method: "OPTIONS", headers: preflight });
    expect([allowed.status, allowed.headers]).toMatchObject([
      204,
      {
        "access-control-allow-origin": web,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": "x-own,content-type",
      },
    ]);
    expect(site.proxied).toEqual([]);
    expect((await site.ask("/data", { host: api, headers: asks })).status).toBe(401);
    expect((await site.ask("/data", { host: api, cookie, headers: asks })).status).toBe(200);
    const { port } = site.server;
    const sources = `'self' http://${ada.id}.localhost:${port} http://*.${ada.id}.localhost:${port}`;
    expect(site.added.at(-1)).toEqual({ frameAncestors: sources, sharedWith: web });
    await site.ask("/data", {
      host: hostOf(site, ada.id),
      cookie,
      headers: { ...asks, "sec-fetch-site": "same-origin" },
    });
    expect(site.added.at(-1)).toEqual({ frameAncestors: sources, sharedWith: undefined });
    // A form on a page without a referrer. A sandboxed page of any site has the same origin.
    await site.ask("/data", {
      host: hostOf(site, ada.id),
      cookie,
      method: "POST",
      headers: { origin: "null", "sec-fetch-site": "same-origin" },
    });
    expect(site.added.at(-1)).toEqual({ frameAncestors: sources, sharedWith: undefined });

    for (const origin of [
      `http://${hostOf(site, bob.id)}`,
      `http://api.${hostOf(site, bob.id)}`,
      site.server.url,
      "null",
    ]) {
      const foreign = { ...preflight, origin };
      const { status, headers } = await site.ask("/data", { host: api, method: "OPTIONS", headers: foreign });
      expect([origin, status, headers["access-control-allow-origin"]]).toEqual([origin, 403, undefined]);
    }
  });
});
