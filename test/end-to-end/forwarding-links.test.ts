import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { openAccess } from "../../components/web/forwarding/program/auth/access.ts";
import { createProxy } from "../../components/web/forwarding/program/proxy/proxy.ts";
import { createForwardingServer, type ForwardingServer } from "../../components/web/forwarding/program/server.ts";
import { openBrowser, type Person, type TestBrowser } from "../support/browser.ts";
import { agent, agentsAt, online, startUpstream, type Upstream } from "../support/upstreams.ts";

/** What the agent was asked, with what for. */
let asked: string[] = [];
let upstream: Upstream;
let server: ForwardingServer;
let browser: TestBrowser;
let person: Person;
let page: Page;
let cookie: { name: string; value: string };
const folder = mkdtempSync(join(tmpdir(), "links-"));
const prefix = `/${agent.id}`;
const url = (path: string) => `${server.url}${prefix}${path}`;

const text = { "Content-Type": "text/html; charset=utf-8" };
const pages: Record<string, [headers: Record<string, string>, body: string]> = {
  "/": [
    text,
    `<!doctype html><html><head><title>Home</title><script src="/app.js"></script><link rel=stylesheet href="/style.css"></head>
<body><img src="/logo.svg"><a id=link href="/about">About</a>
<form action="/found" method=post><input name=q value=1><button id=send>Send</button></form></body></html>`,
  ],
  "/strict": [{ ...text, "Content-Security-Policy": "default-src 'self'" }, "<title>Strict</title><p>strict"],
  "/based": [text, '<!doctype html><head><base href="/deep/"><title>Based</title></head><img src="in.svg">'],
  "/about": [text, "<title>About</title>"],
  "/found": [text, "<title>Found</title>"],
  "/private": [{ ...text, "Referrer-Policy": "no-referrer" }, "<title>Private</title>"],
  "/app.js": [{ "Content-Type": "text/javascript" }, "window.loaded = true"],
  "/style.css": [{ "Content-Type": "text/css" }, "body { background: url(/back.svg) }"],
  "/api": [{ "Content-Type": "text/plain" }, "answer"],
  "/events": [{ "Content-Type": "text/event-stream" }, "data: event\n\n"],
  "/worker.js": [{ "Content-Type": "text/javascript" }, "postMessage('worker')"],
  "/own-sw.js": [
    { "Content-Type": "text/javascript", "Service-Worker-Allowed": "/" },
    "addEventListener('install', () => skipWaiting());addEventListener('fetch', (event) => { if (event.request.url.endsWith('/made')) event.respondWith(new Response('made')) })",
  ],
};
const image = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>';

function answer(req: IncomingMessage, res: ServerResponse): void {
  // When a browser asks for it is its own affair.
  if (req.url === "/favicon.ico") return void res.end();
  asked.push(`${req.method} ${req.url}`);
  const path = (req.url ?? "").split("?", 1)[0] ?? "";
  const [headers, body] = path.endsWith(".svg")
    ? [{ "Content-Type": "image/svg+xml" }, image]
    : (pages[path] ?? [{}, ""]);
  res.writeHead(body === "" ? 404 : 200, { ...headers, "Cache-Control": "no-store" }).end(body);
}

beforeAll(async () => {
  const sockets = new WebSocketServer({ noServer: true });
  upstream = await startUpstream(answer, (req, socket, head) => {
    sockets.handleUpgrade(req, socket, head, (each) => each.on("message", (data) => each.send(`echo ${data}`)));
  });
  const log = () => {};
  const ttl = { codeTtlSeconds: 900, cookieTtlSeconds: 86_400 };
  const access = openAccess({ folder, isSecure: false, log, ...ttl });
  const agents = agentsAt(() => online(upstream));
  const config = { version: 1, port: 0, host: "127.0.0.1", publicUrl: null, routing: "path", ...ttl } as const;
  server = await createForwardingServer({ config, access, agents, proxy: createProxy(agents), log });
  const session = access.redeem(agent.id, access.mint(agent.id).code);
  if (session === undefined) throw new Error("the code was not good");
  cookie = access.cookie(agent.id, "main", session);
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([server?.close(), upstream?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  asked = [];
  person = await browser.newPerson();
  await person.context.addCookies([{ name: cookie.name, value: cookie.value, url: server.url, httpOnly: true }]);
  page = await person.newPage();
  return () => person.context.close();
});

/** Until the worker of the page has it in hand. */
async function controlled(): Promise<void> {
  await page.evaluate("navigator.serviceWorker.ready");
  await page.waitForFunction("navigator.serviceWorker.controller !== null");
}

describe("a page that shares its origin with others", () => {
  it("loads its absolute links on the first visit", async () => {
    await page.goto(url("/"), { waitUntil: "networkidle" });
    expect(await page.evaluate("window.loaded")).toBe(true);
    expect(asked.toSorted()).toEqual(["GET /", "GET /app.js", "GET /back.svg", "GET /logo.svg", "GET /style.css"]);
    expect(person.complaints).toEqual([]);
  });

  it("navigates correctly: links, forms, history, windows", async () => {
    await page.goto(url("/"));
    await page.click("#link");
    await page.waitForURL(url("/about"));
    await page.goBack();
    await page.click("#send");
    await page.waitForURL(url("/found"));
    expect(asked.at(-1)).toBe("POST /found");
    await page.evaluate("history.pushState({}, '', '/pushed?a#b')");
    expect(page.url()).toBe(url("/pushed?a#b"));
    const [opened] = await Promise.all([
      person.context.waitForEvent("page"),
      page.evaluate("void window.open('/about')"),
    ]);
    expect(opened.url()).toBe(url("/about"));
    await page.evaluate("void (location.href = '/about?from-a-script')");
    await page.waitForURL(url("/about?from-a-script"));
  });

  it("reaches its server from scripts", async () => {
    await page.goto(url("/"));
    const results = await page.evaluate(`Promise.all([
      fetch("/api").then((response) => response.text()),
      fetch(new URL("/api", location.href)).then((response) => response.text()),
      new Promise((resolve) => {
        const asking = new XMLHttpRequest();
        asking.open("GET", "/api");
        asking.onload = () => resolve(asking.responseText);
        asking.send();
      }),
      new Promise((resolve) => { new EventSource("/events").onmessage = ({ data }) => resolve(data) }),
      new Promise((resolve) => { new Worker("/worker.js").onmessage = ({ data }) => resolve(data) }),
      ...["/chat", "ws://" + location.host + "/chat"].map((address) => new Promise((resolve) => {
        const socket = new WebSocket(address);
        socket.onopen = () => socket.send("hello");
        socket.onmessage = ({ data }) => resolve(data);
      })),
    ])`);
    expect(results).toEqual(["answer", "answer", "answer", "event", "worker", "echo hello", "echo hello"]);
  });

  it("has a worker that rewrites requests without a referrer", async () => {
    await page.goto(url("/private"));
    await controlled();
    const load =
      "new Promise((resolve) => { const image = new Image(); image.onload = resolve; image.src = '/late.svg' })";
    await page.evaluate(`${load}.then(() => {})`);
    expect(asked).toContain("GET /late.svg");
    expect(
      await page.evaluate("fetch(new Request('/api', { method: 'GET' })).then((response) => response.text())"),
    ).toBe("answer");
  });

  it("keeps its own worker, which also rewrites links", async () => {
    await page.goto(url("/private"));
    await controlled();
    await page.evaluate("navigator.serviceWorker.register('/own-sw.js').then(({ scope }) => { window.scope = scope })");
    expect(await page.evaluate("window.scope")).toBe(url("/"));
    const isOwn =
      "navigator.serviceWorker.getRegistration().then((it) => it.active?.scriptURL.endsWith('/own-sw.js') ?? false)";
    await expect.poll(() => page.evaluate(isOwn)).toBe(true);
    await page.goto(url("/private"));
    await controlled();
    expect(await page.evaluate("fetch('made').then((response) => response.text())")).toBe("made");
    await page.evaluate(
      "new Promise((resolve) => { const image = new Image(); image.onload = () => resolve(); image.src = '/own.svg' })",
    );
    expect(asked).toContain("GET /own.svg");
    await page.reload();
    expect(await page.evaluate(isOwn)).toBe(true);
  });

  it("may have its own policy", async () => {
    await page.goto(url("/strict"));
    expect(await page.evaluate("fetch('/api').then((response) => response.text())")).toBe("answer");
    expect(person.complaints).toEqual([]);
  });

  it("may have its own base URL", async () => {
    await page.goto(url("/based"), { waitUntil: "networkidle" });
    expect(asked).toContain("GET /deep/in.svg");
    expect(await page.evaluate("document.baseURI")).toBe(url("/deep/"));
  });
});
