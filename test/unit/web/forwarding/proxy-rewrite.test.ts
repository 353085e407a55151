import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  requestHeaders,
  requestTrailers,
  responseHeaders,
  rewriteSetCookie,
  withoutOurCookies,
} from "../../../../components/web/forwarding/program/proxy/rewrite-headers.ts";
import { upstreamPath } from "../../../../components/web/forwarding/program/proxy/route.ts";
import { host, id, path } from "../../../support/proxy-routes.ts";

const client = { address: "127.0.0.1" };
const forwarded = [
  ...["X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", `${id}.localhost:8420`, "X-Forwarded-Proto", "http"],
];

describe("requestHeaders", () => {
  it("forwards the agent's headers, in their order, with the browser's Host", () => {
    const raw = ["Accept", "a", "Host", `${id}.localhost:8420`, "X-Twice", "1", "x-twice", "2", "Content-Length", "3"];
    expect(requestHeaders(raw, host, client)).toEqual([
      ...["Host", `${id}.localhost:8420`, "Accept", "a", "X-Twice", "1", "x-twice", "2", "Content-Length", "3"],
      ...forwarded,
    ]);
  });

  it.each([
    "Connection: x",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Proxy-Authorization: Basic x",
    "TE: trailers",
    "Trailer: X-Sum",
    "Transfer-Encoding: chunked",
    "Upgrade: websocket",
    "Forwarded: for=1.2.3.4",
    "X-Forwarded-For: 1.2.3.4",
    "X-FORWARDED-USER: root",
    "X_Forwarded_For: 1.2.3.4",
    "X-Changeling-Agent: other",
    "X_changeling_agent: other",
    "Host: evil.example",
  ])("drops %s", (line) => {
    const [name = "", value = ""] = line.split(": ");
    expect(requestHeaders(["Accept", "a", name, value], host, client)).toEqual([
      ...["Host", `${id}.localhost:8420`, "Accept", "a"],
      ...forwarded,
    ]);
  });

  it("drops headers that Connection lists, except the body's length", () => {
    const raw = ["Connection", "close, X-Mine", "x-mine", "1", "connection", "Content-Length", "Content-Length", "5"];
    expect(requestHeaders(raw, host, client)).toEqual([
      ...["Host", `${id}.localhost:8420`, "Content-Length", "5"],
      ...forwarded,
    ]);
  });

  it("contains the prefix, and requests a complete, uncompressed body", () => {
    const raw = ["Accept-Encoding", "gzip", "If-None-Match", "1", "Range", "bytes=0-", "If-Modified-Since", "now"];
    expect(requestHeaders(raw, path, client, { plain: true })).toEqual([
      ...["Host", "localhost:8420", "X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", "localhost:8420"],
      ...["X-Forwarded-Proto", "http", "X-Forwarded-Prefix", `/${id}`, "Accept-Encoding", "identity"],
    ]);
  });

  it("contains no header of ours or of the connection, whatever is sent", () => {
    const name = fc.oneof(
      fc.constantFrom("Forwarded", "X-Forwarded-Host", "x_forwarded_x", "X-Changeling-A", "TE", "Cookie", "Connection"),
      fc.stringMatching(/^[A-Za-z_-]{1,12}$/),
    );
    const value = fc.oneof(
      fc.constantFrom(`changeling_${id}=x`, `a=1; __Host-changeling_${id}=x; b=2`, "upgrade, te"),
      fc.stringMatching(/^[ -~]{0,20}$/),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
        const headers = requestHeaders(pairs.flat(), host, client);
        const ours = headers.splice(-forwarded.length);
        expect(ours).toEqual(forwarded);
        const names = headers.filter((_, i) => i % 2 === 0).map((each) => each.toLowerCase().replaceAll("_", "-"));
        const values = headers.filter((_, i) => i % 2 === 1 && names[(i - 1) / 2] === "cookie");
        expect(names.filter((each) => /^(x-forwarded-|x-changeling-|forwarded$|connection$|te$)/.test(each))).toEqual(
          [],
        );
        expect(names.filter((each) => each === "host")).toEqual(["host"]);
        expect(values.filter((each) => /(^|;)\s*(__Host-)?changeling_/.test(each))).toEqual([]);
      }),
    );
  });
});

describe("requestTrailers", () => {
  it("drops everything that is not allowed as a header", () => {
    const raw = [
      "X-Sum",
      "1",
      "Cookie",
      "a=1",
      "Host",
      "x",
      "X-Forwarded-For",
      "1.2.3.4",
      "Transfer-Encoding",
      "chunked",
    ];
    expect(requestTrailers(raw)).toEqual([["X-Sum", "1"]]);
  });
});

describe("withoutOurCookies", () => {
  it.each([
    ["a=1; b=2", "a=1; b=2"],
    [`changeling_${id}=x`, undefined],
    [`a=1; changeling_${id}=x; b=2`, "a=1; b=2"],
    [`__Host-changeling_${id}=x; a=1`, "a=1"],
    [`__Secure-Changeling_x=x;changeling_=;a=1`, "a=1"],
    ["my_changeling_x=1", "my_changeling_x=1"],
    ["a=changeling_x", "a=changeling_x"],
    ["changeling_x", undefined],
  ])("%s: %s", (header, kept) => {
    expect(withoutOurCookies(header)).toBe(kept);
  });
});

describe("rewriteSetCookie", () => {
  const prefix = `/${id}`;
  it.each([
    ["a=1; Path=/; HttpOnly", "", "a=1; Path=/; HttpOnly"],
    ["a=1; Domain=.localhost; Path=/x", "", "a=1; Path=/x"],
    ["a=1;domain = localhost;Secure", "", "a=1;Secure"],
    ["a=1; Path=/; Secure", prefix, `a=1; Path=${prefix}/; Secure`],
    ["a=1; path=/app", prefix, `a=1; Path=${prefix}/app`],
    ["a=1; Path=app; Max-Age=1", prefix, "a=1; Max-Age=1"],
    ["a=1", prefix, "a=1"],
    [`a=1; Path=${prefix}/app`, prefix, `a=1; Path=${prefix}/app`],
    ["a=b=c; Path=/=", prefix, `a=b=c; Path=${prefix}/=`],
    [`changeling_${id}=x; Path=/`, "", undefined],
    [`__Host-changeling_${id}=x`, "", undefined],
    [` changeling_x=1`, "", undefined],
    // A browser that gets no name sends the value alone: the same as ours.
    [`=changeling_${id}=x`, "", undefined],
    ["changeling_x", "", undefined],
    ["my_changeling_x=1", "", "my_changeling_x=1"],
  ])("%s below %j: %s", (cookie, below, kept) => {
    expect(rewriteSetCookie(cookie, below)).toBe(kept);
  });

  it("never keeps a domain, nor a path outside the prefix", () => {
    const attribute = fc.oneof(
      fc.constantFrom("Domain=x", " DOMAIN = x", "Path=/", " path=/other", "Path=", "Path", "domain", "Secure"),
      fc.stringMatching(/^[ -:<-~]{0,16}$/),
    );
    fc.assert(
      fc.property(fc.array(attribute), (attributes) => {
        const [pair, ...kept] = (rewriteSetCookie(["a=1", ...attributes].join(";"), prefix) ?? "").split(";");
        const values = kept.map((each) => each.split("=").map((part) => part.trim()));
        expect(pair).toBe("a=1");
        expect(values.filter(([name]) => name?.toLowerCase() === "domain")).toEqual([]);
        const paths = values.filter(([name]) => name?.toLowerCase() === "path").map(([, value]) => value);
        expect(paths.filter((value) => !value?.startsWith(`${prefix}/`))).toEqual([]);
      }),
    );
  });
});

describe("responseHeaders", () => {
  it("forwards all headers except those of the connection, or that affect other agents", () => {
    const raw = [
      ...["Content-Type", "text/html", "Connection", "close, X-Hop", "X-Hop", "1", "Keep-Alive", "timeout=5"],
      ...["Transfer-Encoding", "chunked", "Set-Cookie", "a=1; Path=/", "Set-Cookie", `changeling_${id}=x`],
      ...["Location", "/next", "Alt-Svc", 'h3=":443"', "Clear-Site-Data", '"*"', "Service-Worker-Allowed", "/"],
      ...["Content-Security-Policy", "default-src 'self'", "X-Accel-Buffering", "no", "Content-Length", "5"],
    ];
    const kept = ["Content-Security-Policy", "default-src 'self'", "X-Accel-Buffering", "no", "Content-Length", "5"];
    expect(responseHeaders(raw, host)).toEqual([
      ...["Content-Type", "text/html", "Set-Cookie", "a=1; Path=/", "Location", "/next"],
      ...["Service-Worker-Allowed", "/", ...kept],
    ]);
    expect(responseHeaders(raw, path)).toEqual([
      ...["Content-Type", "text/html", "Set-Cookie", `a=1; Path=/${id}/`],
      ...["Location", `http://localhost:8420/${id}/next`, "Service-Worker-Allowed", `/${id}/`, ...kept],
    ]);
  });

  it.each([
    ["/", `/${id}/`],
    [`/${id}/docs/`, `/${id}/docs/`],
    [`/${id}/../`, `/${id}/`],
    [`/${id}/%2e%2e/`, `/${id}/`],
    [`/${id}/..\\`, `/${id}/`],
    ["../", `/${id}/`],
    ["../../", `/${id}/`],
    ["./", `/${id}/docs/`],
    ["//evil.example/x", `/${id}/x`],
  ])("keep the scope %s of a service worker within the agent's paths", (scope, expected) => {
    expect(responseHeaders(["Service-Worker-Allowed", scope], path)).toEqual(["Service-Worker-Allowed", expected]);
  });

  it("drop what would apply to all agents of a shared origin", () => {
    const raw = ["Strict-Transport-Security", "max-age=0", "NEL", '{"report_to":"a"}', "Report-To", '{"group":"a"}'];
    expect(responseHeaders(raw, host)).toEqual(raw);
    expect(responseHeaders(raw, path)).toEqual([]);
  });
});

describe("upstreamPath", () => {
  it.each([
    ["http://127.0.0.1:9000", "/a?b"],
    ["http://127.0.0.1:9000/app", "/app/a?b"],
    ["http://127.0.0.1:9000/app/?token=x", "/app/a?b"],
  ])("%s: %s", (upstream, expected) => {
    expect(upstreamPath({ upstream: new URL(upstream), path: "/a?b" })).toBe(expected);
  });
});
