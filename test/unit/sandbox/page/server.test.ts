import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { waitingLimits } from "../../../../components/lib/waiting-connections.ts";
import { Codes, codeMs, newCode } from "../../../../components/sandbox/page/codes.ts";
import { Logins } from "../../../../components/sandbox/page/logins.ts";
import { readPageFile } from "../../../../components/sandbox/page/page-file.ts";
import { revokeAll } from "../../../../components/sandbox/page/revocation.ts";
import { type RunningPage, startPage } from "../../../../components/sandbox/page/server.ts";
import type { PageSettings } from "../../../../components/sandbox/page/settings.ts";
import { guestUrl, pageUrl } from "../../../../components/sandbox/page/url.ts";
import type { ServiceFile } from "../../../../components/sandbox/sessions/protocol.ts";
import { type FakeSessions, startFakeSessions } from "../../../support/fake-sessions.ts";
import { flood } from "../../../support/flood.ts";

let folder: string;
let service: FakeSessions;
let running: ServiceFile | undefined;
let page: RunningPage;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "page-"));
  service = await startFakeSessions();
  running = service.file;
  page = await startPage({ folder, service: () => running });
});
afterEach(async () => {
  await page.close();
  await service[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const { method = "GET", headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const asking = request(page.url + path, { method, headers, agent: false }, async (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: await text(response) });
    });
    asking.once("error", reject).end(body);
  });
}

const codeIn = (url: string) => new URLSearchParams(new URL(url).hash.slice(1)).get("code") ?? "";
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function login(person = "Mira"): Promise<string> {
  const body = JSON.stringify({ code: codeIn(pageUrl(folder, { person })) });
  const { body: answer } = await ask("/api/login", { method: "POST", body });
  return JSON.parse(answer).token;
}

it("logs a browser in with a code, once, as the person", async () => {
  const { id } = service.session();
  const url = pageUrl(folder, { session: id, person: "Mira Ø" });
  expect(url.startsWith(`${page.url}/sessions/${id}#code=`)).toBe(true);
  const body = JSON.stringify({ code: codeIn(url) });
  const first = await ask("/api/login", { method: "POST", body });
  const { token, person } = JSON.parse(first.body);
  expect(person).toBe("Mira Ø");
  expect((await ask("/api/login", { method: "POST", body })).status).toBe(403);
  // Who acts is who the code was made for, whatever the browser says.
  const headers = { ...bearer(token), "x-changelings-person": "Boss" };
  const { body: view } = await ask(`/api/sessions/${id}`, { headers });
  expect(JSON.parse(view)).toMatchObject({ id, you: { name: "Mira Ø", role: "owner" } });
});

it("rejects codes that are old, of another key, changed or no codes", () => {
  const codes = new Codes(() => "key");
  const good = newCode("key", "Mira");
  const [content = "", signature = ""] = good.split(".");
  const changed = Buffer.from(Buffer.from(content, "base64url").toString().replace("Mira", "Mara")).toString(
    "base64url",
  );
  for (const bad of [newCode("other", "Mira"), `${changed}.${signature}`, `${good}.x`, "", ".", "a.b"]) {
    expect(codes.use(bad)).toBeUndefined();
  }
  expect(codes.use(good, new Date(Date.now() + codeMs + 1))).toBeUndefined();
  expect(codes.use(good)).toBe("Mira");
  expect(codes.use(good)).toBeUndefined();
  codes.use("x", new Date(Date.now() + codeMs + 1));
  expect(codes.use(good)).toBeUndefined();
});

it("keeps its port and its logins over a restart, but no code", async () => {
  const token = await login();
  const code = codeIn(pageUrl(folder, { person: "Mira" }));
  const { url } = page;
  await page.close();
  page = await startPage({ folder, service: () => running });
  expect(page.url).toBe(url);
  expect((await ask("/api/sessions", { headers: bearer(token) })).status).toBe(200);
  expect((await ask("/api/login", { method: "POST", body: JSON.stringify({ code }) })).status).toBe(403);
});

it("takes another port if its own is in use", async () => {
  const file = join(folder, "page.json");
  writeFileSync(file, JSON.stringify({ version: 1, url: service.file.url, key: "k" }));
  await page.close();
  page = await startPage({ folder, service: () => running });
  expect(page.url).not.toBe(service.file.url);
  expect(readPageFile(folder)?.url).toBe(page.url);
});

it("stores no token, and what it stores is private", async () => {
  const token = await login();
  for (const name of ["page.json", "logins.json"]) {
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    const content = readFileSync(join(folder, name), "utf8");
    expect(content).not.toContain(token);
    expect(content).not.toContain(service.file.token);
  }
});

it("never gives a browser the token of the installation's owner", async () => {
  const session = service.session();
  const token = await login();
  const answers = await Promise.all(
    ["/", "/app.js", "/api/sessions", `/api/sessions/${session.id}`, `/api/sessions/${session.id}/diff`].map((path) =>
      ask(path, { headers: bearer(token) }),
    ),
  );
  for (const answer of answers) expect(JSON.stringify(answer)).not.toContain(service.file.token);
});

it("ends a login at a logout", async () => {
  const token = await login();
  await ask("/api/logout", { method: "POST", headers: bearer(token) });
  expect((await ask("/api/sessions", { headers: bearer(token) })).status).toBe(401);
});

describe("when all logins are ended", () => {
  const statusOf = async (token: string) => (await ask("/api/sessions", { headers: bearer(token) })).status;
  const use = (code: string) => ask("/api/login", { method: "POST", body: JSON.stringify({ code }) });
  async function restart(): Promise<void> {
    await page.close();
    page = await startPage({ folder, service: () => running });
  }

  it("ends them and the unused codes at once, and lets new ones in, also after restarts", async () => {
    const [token, code] = [await login(), codeIn(pageUrl(folder, { person: "Mira" }))];
    revokeAll(folder);
    expect(await statusOf(token)).toBe(401);
    expect((await use(code)).status).toBe(403);
    const second = await login();
    await restart();
    expect([await statusOf(token), await statusOf(second)]).toEqual([401, 200]);
    revokeAll(folder);
    await restart();
    expect([await statusOf(token), await statusOf(second)]).toEqual([401, 401]);
  });

  it("ends them while the page is not served, those of earlier releases too, whatever the clock says", async () => {
    const token = await login();
    await page.close();
    const path = join(folder, "logins.json");
    const { logins } = JSON.parse(readFileSync(path, "utf8"));
    for (const each of Object.values<{ revocation?: string }>(logins)) delete each.revocation;
    writeFileSync(path, JSON.stringify({ version: 1, logins }));
    page = await startPage({ folder, service: () => running });
    expect(await statusOf(token)).toBe(200);
    await page.close();
    revokeAll(folder);
    page = await startPage({ folder, service: () => running });
    expect(new Logins(folder).person(token, new Date(0))).toBeUndefined();
    expect(await statusOf(token)).toBe(401);
  });

  it.each(["a revocation", "a logout"])("ends its event streams: %s", async (how) => {
    const session = service.session();
    const [token, guest] = [await login(), session.invite("Jonas", "guest")];
    const follow = (as: string) =>
      new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { ...bearer(as), accept: "text/event-stream" };
        const url = `${page.url}/api/sessions/${session.id}/events?from=0`;
        request(url, { headers, agent: false }, resolve).once("error", reject).end();
      });
    const [own, theirs] = [await follow(token), await follow(guest)];
    const ended = new Promise((resolve) => own.once("close", resolve));
    own.on("error", () => {}).resume();
    theirs.on("error", () => {}).resume();
    if (how === "a logout") await ask("/api/logout", { method: "POST", headers: bearer(token) });
    else revokeAll(folder);
    await ended;
    // A guest has a token of their own.
    expect(theirs.destroyed).toBe(false);
  });

  it("lets nobody in if its record is damaged", async () => {
    const token = await login();
    revokeAll(folder);
    writeFileSync(join(folder, "revocation", "last.json"), "{}");
    expect(await statusOf(token)).toBe(500);
    expect(() => pageUrl(folder, { person: "Mira" })).toThrow(/damaged; end all logins with: .*revoke --all/);
    revokeAll(folder);
    expect(await statusOf(await login())).toBe(200);
  });
});

it("lets a guest do what the service lets them, in their own session alone, whatever name they claim", async () => {
  const [own, other] = [service.session(), service.session()];
  const token = own.invite("Jonas", "guest");
  expect(guestUrl(folder, { session: own.id, token })).toBe(`${page.url}/sessions/${own.id}#token=${token}`);
  const headers = { ...bearer(token), "x-changelings-person": "Mira" };
  const body = JSON.stringify({ key: "12345678", text: "hi" });
  expect((await ask(`/api/sessions/${own.id}/messages`, { method: "POST", headers, body })).status).toBe(200);
  expect(own.messages).toMatchObject([{ author: "Jonas", text: "hi" }]);
  expect((await ask(`/api/sessions/${own.id}/stop`, { method: "POST", headers, body: "{}" })).status).toBe(403);
  expect((await ask(`/api/sessions/${other.id}`, { headers })).status).toBe(401);
  expect((await ask("/api/sessions", { headers })).status).toBe(401);
});

it("does not let a login invite people or take a bundle", async () => {
  const { id } = service.session();
  const headers = bearer(await login());
  const asked = service.asked.length;
  for (const [method, what] of [
    ["POST", "invite"],
    ["POST", "revoke"],
    ["POST", "wake"],
    ["POST", "snapshot"],
    ["GET", "bundle"],
    ["GET", "create"],
    ["GET", "../../"],
    ["DELETE", ""],
  ] as const) {
    expect((await ask(`/api/sessions/${id}/${what}`, { method, headers, body: "{}" })).status).toBe(404);
  }
  expect((await ask("/api/sessions", { method: "POST", headers, body: "{}" })).status).toBe(404);
  expect(service.asked).toHaveLength(asked);
});

it("rejects requests of other origins, by other names, and without a token", async () => {
  const token = await login();
  const good = bearer(token);
  const statusOf = async (headers: Record<string, string>) => (await ask("/api/sessions", { headers })).status;
  expect(await statusOf({ ...good, origin: page.url, "sec-fetch-site": "same-origin" })).toBe(200);
  expect(await statusOf({ ...good, origin: "http://127.0.0.1:1" })).toBe(403);
  expect(await statusOf({ ...good, origin: "null" })).toBe(403);
  expect(await statusOf({ ...good, "sec-fetch-site": "same-site" })).toBe(403);
  expect(await statusOf({ ...good, "sec-fetch-site": "cross-site" })).toBe(403);
  expect(await statusOf({ ...good, host: "rebound.example:80" })).toBe(421);
  expect(await statusOf({ ...good, host: "localhost:9000" })).toBe(200);
  expect(await statusOf({})).toBe(401);
  expect(await statusOf({ authorization: `Bearer login-${"x".repeat(43)}` })).toBe(401);
  expect(await statusOf({ cookie: `login=${token}` })).toBe(401);
  expect((await ask("/api/login", { method: "POST", body: "{" })).status).toBe(403);
  expect((await ask("/api/login", { method: "POST", body: JSON.stringify({ code: "x".repeat(9000) }) })).status).toBe(
    403,
  );
});

it("says so if no service runs, and follows it to another address", async () => {
  const headers = bearer(await login());
  running = undefined;
  expect((await ask("/api/sessions", { headers })).status).toBe(503);
  service.goAway();
  running = service.file;
  expect((await ask("/api/sessions", { headers })).status).toBe(503);
  await using other = await startFakeSessions();
  running = other.file;
  expect((await ask("/api/sessions", { headers })).status).toBe(200);
});

it("serves its own files alone, each with the strict policy", async () => {
  for (const path of ["/", "/style.css", "/app.js", `/sessions/${"a".repeat(20)}`]) {
    const { status, headers } = await ask(path);
    expect([path, status]).toEqual([path, 200]);
    expect(headers).toMatchObject({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
    expect(headers["content-security-policy"]).toMatch(
      /default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/,
    );
    expect(headers["set-cookie"]).toBeUndefined();
  }
  for (const path of [
    "/../server.ts",
    "/public/app.js",
    "/%2e%2e/server.ts",
    "/sessions/",
    "/sessions/x",
    "/page.json",
  ]) {
    expect((await ask(path)).status).toBe(404);
  }
  expect((await ask("/", { method: "POST" })).status).toBe(404);
  const { body } = await ask("/");
  expect(body).not.toMatch(/<script>|<style| on\w+=| style=|https?:/);
});

describe("with a port and a public URL", () => {
  const publicUrl = "https://sandboxes.example.com";
  /** A port that was free a moment ago: the page's own, which is given back. */
  async function restart(settings: (port: number) => PageSettings): Promise<void> {
    const { port } = new URL(page.url);
    await page.close();
    page = await startPage({ folder, service: () => running, settings: settings(Number(port)) });
  }

  it("makes URLs of the public origin, and answers requests to it and to its own address", async () => {
    await restart((port) => ({ port, publicUrl }));
    const { id } = service.session();
    expect(pageUrl(folder, { session: id, person: "Mira" })).toMatch(`${publicUrl}/sessions/${id}#code=`);
    expect(guestUrl(folder, { session: id, token: "t" })).toBe(`${publicUrl}/sessions/${id}#token=t`);
    const own = new URL(page.url).host;
    for (const [host, origin, expected] of [
      ["sandboxes.example.com", publicUrl, "this login URL"],
      ["Sandboxes.Example.com", publicUrl, "this login URL"],
      [own, publicUrl, "this login URL"],
      [own, page.url, "this login URL"],
      [own, "https://evil.example.com", "another site"],
      ["sandboxes.example.com", "https://evil.example.com", "another site"],
      ["evil.example.com", publicUrl, "not known here"],
      ["sandboxes.example.com.evil.com", publicUrl, "not known here"],
    ] as const) {
      const { body } = await ask("/api/login", { method: "POST", headers: { host, origin }, body: "{}" });
      expect([host, origin, body]).toEqual([host, origin, expect.stringContaining(expected)]);
    }
  });

  it("says that its port is in use, and makes no URL that leads to another program", async () => {
    const { port } = new URL(page.url);
    const again = startPage({ folder, service: () => running, settings: { port: Number(port) } });
    await expect(again).rejects.toThrow(
      `port ${port} is in use; end the program that uses it, or declare another port in [sandboxes]`,
    );
    expect(() => pageUrl(folder, { person: "Mira" })).toThrow("the page of the sessions is not served here");
  });
});

it("limits connections without a login, and keeps those with one and those of guests", async () => {
  const token = await login();
  const port = Number(new URL(page.url).port);
  // The service knows this token, and the page does not: as one of a guest.
  const visitors = [token, service.file.token].map((each) => {
    const visitor = connect(port, "127.0.0.1").setEncoding("utf8");
    const seen = { answers: 0, visitor, ask: () => visitor.write(head(each)) };
    visitor.on("data", (received: string) => {
      seen.answers += received.match(/HTTP\/1\.1 200/g)?.length ?? 0;
    });
    return seen;
  });
  const answers = (expected: number) =>
    Promise.all(visitors.map((each) => expect.poll(() => each.answers, { timeout: 10_000 }).toBe(expected)));
  const head = (each: string) =>
    `GET /api/sessions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${each}\r\n\r\n`;
  for (const each of visitors) each.ask();
  await answers(1);
  using crowd = await flood(port, waitingLimits.most + 20, "GET / HTTP/1.1\r\n");
  await expect.poll(crowd.open, { timeout: 10_000 }).toBe(waitingLimits.most);
  for (const each of visitors) each.ask();
  await answers(2);
  expect((await ask("/")).status).toBe(200);
  for (const { visitor } of visitors) visitor.destroy();
});
