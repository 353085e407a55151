import fc from "fast-check";
import { expect, test } from "vitest";
import { fromAgentResponse, toAgentRequest } from "../../../../components/seed-agent/program/server/agent-messages.ts";

const asked = (url: string, headers: Record<string, string | string[]> = {}) =>
  toAgentRequest({ method: "GET", url, headers, body: "" });

const answered = (headers: Record<string, string>, status = 200) =>
  fromAgentResponse({ status, headers, body: "x" }, "/deep/page").headers;

test.each([
  ["/agent", "/", {}],
  ["/agent/", "/", {}],
  ["/agent/a/b", "/a/b", {}],
  ["/agent//a", "//a", {}],
  ["/agent/a%20b?x=1&y=%2F", "/a%20b", { x: "1", y: "/" }],
  ["/agent/a%2Fb", "/a%2Fb", {}],
  ["/agent?x=1&x=2", "/", { x: "2" }],
])("%s is %s", (url, path, query) => {
  expect(asked(url)).toMatchObject({ path, query });
});

test.each([
  "/agent/../control/status",
  "/agent/..",
  "/agent/%2e%2e/control",
  "/agent/.%2E/control",
  "/agent/a/%2e",
  "/agent/%252e%252e/control",
  "/agent/..%2fcontrol",
  "/agent/..%5ccontrol",
  "/agent/..\\control",
  "/agent/a%00b",
  "/agent/a%0d%0ab",
  "/agent/%ff",
  "/agent/%",
  "/agent/a%23b",
])("refuses the path %s", (url) => {
  expect(() => asked(url)).toThrow(/^The path /);
});

test("strips credentials, hop-by-hop headers and headers of proxies", () => {
  const kept = { accept: "text/html", "content-type": "text/plain", "user-agent": "curl", host: "localhost" };
  const stripped = {
    ...{ authorization: "Bearer t", cookie: "a=b", "proxy-authorization": "Basic x", "proxy-connection": "close" },
    ...{ connection: "keep-alive, X-Mine", "x-mine": "1", "keep-alive": "timeout=5", te: "trailers", upgrade: "h2c" },
    ...{ "transfer-encoding": "chunked", trailer: "x", expect: "100-continue", "content-length": "5" },
    ...{ "x-forwarded-for": "1.2.3.4", forwarded: "for=1.2.3.4", "x-real-ip": "1.2.3.4", "fly-client-ip": "1.2.3.4" },
    ...{ "x-api-key": "k", "x-auth-token": "t", "x-amz-security-token": "t", "x-csrf-token": "t", "x-session-id": "s" },
  };
  expect(asked("/agent/", { ...kept, ...stripped }).headers).toEqual(kept);
});

test("passes the harmless headers of an answer", () => {
  const headers = {
    ...{ "Content-Type": "application/json; charset=utf-8", etag: '"1"', "cache-control": "max-age=5" },
    ...{ "retry-after": "5", vary: "accept", "last-modified": "Mon, 01 Jan 2026 00:00:00 GMT" },
  };
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  expect(answered(headers)).toMatchObject(lower);
});

test.each([
  "set-cookie",
  "Set-Cookie",
  "access-control-allow-origin",
  "www-authenticate",
  "content-length",
  "transfer-encoding",
  "connection",
  "clear-site-data",
  "refresh",
  "link",
  "strict-transport-security",
  "service-worker-allowed",
  "x-powered-by",
])("drops %s of an answer", (name) => {
  expect(Object.keys(answered({ [name]: "x" })).map((each) => each.toLowerCase())).not.toContain(name.toLowerCase());
});

test("an answer can't loosen its sandbox", () => {
  expect(
    answered({
      "content-security-policy": "default-src *",
      "x-content-type-options": "sniff",
      "Content-Type": "text/html",
    }),
  ).toMatchObject({
    "content-security-policy": expect.stringMatching(/^sandbox; default-src 'none'/),
    "x-content-type-options": "nosniff",
    "content-type": "text/html",
  });
});

test.each([
  "text/html\r\nset-cookie: a=b",
  "text/html\nx: y",
  "text/html\u0000",
  "text/plain; charset=ünicode",
  "html",
])("drops the content type %j", (value) => {
  expect(answered({ "content-type": value })["content-type"]).toBe("text/plain; charset=utf-8");
});

test.each([
  ["/visits", "/agent/visits"],
  ["next", "/agent/deep/next"],
  ["../up?x=1#y", "/agent/up?x=1#y"],
  ["/../../control/status", "/agent/control/status"],
  ["/agent/x", "/agent/agent/x"],
  ["?page=2", "/agent/deep/page?page=2"],
])("redirects to %s below the agent only", (location, expected) => {
  expect(answered({ location }, 302)["location"]).toBe(expected);
});

test.each([
  "https://evil.example/",
  "//evil.example/",
  "/\\evil.example/",
  "\\\\evil.example",
  "javascript:alert(1)",
  "data:text/html,x",
  "http://agent.invalid@evil.example/",
  "http://me:x@agent.invalid/",
])("refuses a redirect to %s", (location) => {
  expect(() => answered({ location }, 302)).toThrow(/redirects to another site/);
});

test.each([
  { status: 101 },
  { status: 199 },
  { status: 600 },
  { status: 200.5 },
  { status: Number.NaN },
  { status: "200" },
  { status: 200, headers: { a: 1 } },
  { status: 200, body: 5 },
  { status: 200, body: "x".repeat(9 * 1024 * 1024) },
  {},
  null,
])("refuses the answer %#", (response) => {
  expect(() => fromAgentResponse(response, "/")).toThrow(/agent's answer is not valid/);
});

test.each([204, 205, 304])("sends no body with %i", (status) => {
  expect(fromAgentResponse({ status, body: "x" }, "/").body).toBe("");
});

test("no header of any answer can end its line, or has a name that is not allowed", () => {
  const name = fc.oneof(fc.constantFrom("location", "etag", "content-type", "Set-Cookie", "__proto__"), fc.string());
  fc.assert(
    fc.property(fc.dictionary(name, fc.string({ unit: "binary" })), (headers) => {
      let sent: Readonly<Record<string, string>>;
      try {
        sent = answered(headers);
      } catch (error) {
        expect(String(error)).toMatch(/agent's answer is not valid/);
        return;
      }
      for (const [key, value] of Object.entries(sent)) {
        expect(key).toMatch(/^[a-z-]+$/);
        expect(value).toMatch(/^[\t\u0020-\u007e]*$/);
      }
      expect(sent["location"] ?? "/agent/").toMatch(/^\/agent\//);
    }),
  );
});

test("no path that reaches the agent can be understood as one outside of it", () => {
  const part = fc.oneof(
    fc.constantFrom("..", ".", "%2e", "%2E%2e", "%2f", "%5c", "\\", "/", "%25", "2e"),
    fc.webSegment(),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const url = `/agent/${parts.join("")}`;
      try {
        asked(url);
      } catch {
        return;
      }
      // As a proxy or a browser would, which decodes and resolves it up to twice.
      let path = url;
      for (let round = 0; round < 2; round++) {
        try {
          path = decodeURIComponent(new URL(path, "http://a.invalid").pathname).replaceAll("\\", "/");
        } catch {
          // Not UTF-8: nobody decodes it.
          return;
        }
        expect(`${new URL(`http://a.invalid${path.replace(/^\/+/, "/")}`).pathname}/`).toMatch(/^\/agent\//);
        if (/%(?![0-9a-f]{2})/i.test(path)) return;
      }
    }),
  );
});
