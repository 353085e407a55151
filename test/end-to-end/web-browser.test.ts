import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { forwardingState } from "../../components/web/forwarding/state.ts";
import { stopForwardingServer } from "../../components/web/forwarding/supervise.ts";
import { installationOf } from "../../scripts/stack/stack.ts";
import { makeTestStack, type TestStack } from "../engine/test-stack.ts";
import { openBrowser, type Person, type TestBrowser } from "../support/browser.ts";
import { freePort } from "../support/free-port.ts";
import { agentIdOf, loginUrl, probeRepository } from "../support/web-stack.ts";

let stack: TestStack;
let browser: TestBrowser;
let port: number;
let probes: string;
/** What became of the last `up`. */
const ups: string[] = [];

async function up(routing: "host" | "path", disabled: readonly string[] = []): Promise<void> {
  const enabled = (name: string) => `enabled = ${!disabled.includes(name)}`;
  const chat = ["[changelings.elena]", 'kind = "web"', 'agent_type = "chat"', enabled("elena")];
  const probe = (name: string) => [`[changelings.${name}]`, 'kind = "web"', `source = "${probes}"`, enabled(name)];
  const forwarding = ["[forwarding]", `port = ${port}`, `routing = "${routing}"`];
  stack.declare([...forwarding, ...chat, ...probe("first"), ...probe("second")].join("\n"));
  const { code, stdout, stderr } = await stack.up();
  if (code !== 0) throw new Error(`up failed: ${stdout}${stderr}`);
  ups.push(stdout);
}

beforeAll(async () => {
  stack = makeTestStack();
  port = await freePort();
  probes = probeRepository(join(stack.home, "probes"));
  [browser] = await Promise.all([openBrowser(), up("host")]);
});
afterAll(async () => {
  await browser?.close();
  // The agents end with their terminals.
  if (stack !== undefined) await stopForwardingServer(installationOf(stack.stack), stack.home);
  await stack?.remove({ destroy: false });
});

const main = () => `http://localhost:${port}`;
const own = (name: string) => `http://${agentIdOf(stack, name)}.localhost:${port}`;

/** A browser that is logged in to these. */
async function visitor(...wanted: string[]): Promise<{ person: Person; page: Page }> {
  const person = await browser.newPerson();
  const page = await person.newPage();
  for (const [index, name] of wanted.entries()) {
    await page.goto(await loginUrl(stack, name));
    // Straight to the agent, for a browser that is logged in to no other.
    if (index === 0) await page.waitForURL(({ href }) => href.includes(agentIdOf(stack, name)) && !/[?#]/.test(href));
    else await expect.poll(() => names(page)).toContain(name);
    await page.goto(`${main()}/`);
    await expect.poll(() => names(page)).toContain(name);
  }
  return { person, page };
}

async function entered(name: string, page: Page): Promise<void> {
  await page.goto(`${main()}/${agentIdOf(stack, name)}/`);
  await expect.poll(() => page.getByRole("heading", { level: 1 }).textContent()).toBe(name);
}

const names = (page: Page) => page.getByRole("listitem").getByRole("link").allTextContents();

describe("logging in", () => {
  test("works once for each login URL, and no prefetch uses it up", async () => {
    const url = await loginUrl(stack, "elena");
    const authenticate = url.replace("/login?", "/authenticate?");
    // A chat program that looks at a link, and a browser that fetches ahead.
    expect((await fetch(url)).status).toBe(200);
    const ahead = await fetch(authenticate, { headers: { "sec-purpose": "prefetch" }, redirect: "manual" });
    expect(ahead.headers.get("set-cookie")).toBe(null);

    const { person, page } = await visitor();
    await page.goto(`${main()}/`);
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("Not logged in");
    await page.goto(url);
    await page.waitForURL(`${own("elena")}/`);
    await page.getByRole("link", { name: "All changelings" }).click();
    await page.waitForURL(`${main()}/`);
    await expect.poll(() => names(page)).toEqual(["elena"]);
    // The same URL in the same browser leads on; in another one it is spent.
    await page.goto(url);
    await page.waitForURL(`${main()}/`);
    const other = await visitor();
    await other.page.goto(url);
    await expect
      .poll(() => other.page.getByRole("heading", { level: 1 }).textContent())
      .toBe("This login URL can’t be used");
    await other.page.goto(`${main()}/`);
    expect(await names(other.page)).toEqual([]);

    await page.getByRole("button", { name: "Log out of elena" }).click();
    await expect.poll(() => page.getByRole("heading", { level: 1 }).textContent()).toBe("Not logged in");
    await page.goto(`${own("elena")}/`);
    await page.waitForURL(`${main()}/`);
    expect(person.complaints).toEqual([]);
    await Promise.all([person.context.close(), other.person.context.close()]);
  });
});

test("uploads 200 MB unchanged", async () => {
  const { person, page } = await visitor("first");
  await entered("first", page);
  const hash = createHash("sha256");
  const part = Buffer.alloc(2 ** 20, 1);
  for (let i = 0; i < 200; i += 1) hash.update(part);
  await expect.poll(() => page.evaluate("typeof window.probe")).toBe("object");
  const expected = { bytes: 200 * 2 ** 20, hash: hash.digest("hex") };
  expect(await page.evaluate("probe.upload(200)")).toEqual(expected);
  await person.context.close();
});

describe.each(["host", "path"] as const)("with routing = %s", (routing) => {
  /** Where the agent's own absolute links lead. */
  const root = (name: string) => (routing === "host" ? own(name) : `${main()}/${agentIdOf(stack, name)}`);

  beforeAll(async () => {
    if (routing === "path") await up("path");
  });

  test("a chat works live", async () => {
    const { person, page } = await visitor("elena");
    await page.getByRole("link", { name: "elena" }).last().click();
    await page.waitForURL(`${root("elena")}/`);
    await expect.poll(() => page.getByRole("status").textContent()).toBe("connected");
    const before = await page.locator("article").count();
    await page.keyboard.type(`hello by ${routing}`);
    await page.keyboard.press("Enter");
    const texts = () => page.locator("article .text").allTextContents();
    await expect
      .poll(async () => (await texts()).slice(before))
      .toEqual([`hello by ${routing}`, `You said: hello by ${routing}`]);
    // It has the style that it links to as /style.css.
    expect(await page.evaluate("getComputedStyle(document.forms[0]).display")).toBe("flex");
    expect(person.complaints).toEqual([]);
    await person.context.close();
  });

  test("absolute links, modules, redirects, its own service worker, WebSockets and events work", async () => {
    const { person, page } = await visitor("first");
    await entered("first", page);
    await expect.poll(() => page.locator("#said").textContent()).toBe("by a module of first");
    expect(await page.evaluate("getComputedStyle(document.querySelector('h1')).color")).toBe("rgb(1, 2, 3)");
    await expect.poll(() => page.evaluate("document.images[0].naturalWidth")).toBe(30);
    await page.getByRole("link", { name: "About" }).click();
    await page.waitForURL(`${root("first")}/about/`);
    await page.getByRole("link", { name: "More" }).click();
    expect(await page.getByRole("heading").textContent()).toBe("More of first");
    await page.goto(`${root("first")}/redirect`);
    expect(page.url()).toBe(`${root("first")}/about/`);

    expect(await page.evaluate("probe.worker()")).toBe("the worker of first");
    expect(await page.evaluate("probe.echo('hello')")).toBe("echo.v1: hello");
    expect(await page.evaluate("probe.events('a')")).toEqual(["1", "2", "3"]);
    await page.reload();
    await expect.poll(() => page.evaluate("window.probe?.worker()")).toBe("the worker of first");
    expect(await page.evaluate("probe.echo('again')")).toBe("echo.v1: again");
    expect(person.complaints).toEqual([]);
    await person.context.close();
  });

  test("two agents get neither each other's cookies nor ours, and can't read each other by host", async () => {
    const { person, page } = await visitor("first", "second");
    await page.goto(`${main()}/`);
    await expect.poll(() => names(page)).toEqual(["first", "second"]);
    for (const name of ["first", "second"]) {
      await page.goto(`${root(name)}/set-cookie`);
      // The first time the way leads over the main origin.
      await page.waitForURL(`${root(name)}/set-cookie`);
      // By way of the page that shows the login's key.
      await expect.poll(() => page.textContent("body")).toBe("set");
      await entered(name, page);
    }
    for (const name of ["first", "second"]) {
      await entered(name, page);
      await expect.poll(() => page.evaluate("typeof window.probe")).toBe("object");
      const { cookie } = z.object({ cookie: z.string() }).parse(await page.evaluate("probe.json('/headers')"));
      expect(cookie.split("; ").sort()).toEqual([`probe=${name}`, `wide=${name}`]);
    }
    if (routing === "host") expect(await page.evaluate(`probe.read("${root("first")}/headers")`)).toBe("TypeError");
    await person.context.close();
  });
});

test("a stopped agent shows its page, and is online again after a start", async () => {
  const mngr = (...args: string[]) => execFileSync("mngr", args, { env: stack.env, stdio: "ignore" });
  const { person, page } = await visitor("elena", "first");
  const { pid } = forwardingState(stack.paths);
  await page.goto(`${main()}/${agentIdOf(stack, "elena")}/`);
  await page.getByRole("textbox").fill("before the stop");
  await page.getByRole("button").click();
  await expect.poll(() => page.locator("article .text").last().textContent()).toBe("You said: before the stop");
  mngr("stop", "elena", "first");
  await expect.poll(() => page.getByRole("status").textContent()).toBe("connecting");
  await page.reload();
  expect(await page.locator("header p").textContent()).toBe("offline");
  expect(await page.locator("article .text").last().textContent()).toBe("You said: before the stop");
  const other = await person.newPage();
  await other.goto(`${main()}/${agentIdOf(stack, "first")}/`);
  await expect.poll(() => other.getByRole("heading", { level: 1 }).textContent()).toBe("first is offline");

  mngr("start", "elena", "first");
  // Both pages look again by themselves.
  await expect.poll(() => page.getByRole("status").textContent(), { timeout: 60_000 }).toBe("connected");
  await expect.poll(() => other.getByRole("heading", { level: 1 }).textContent(), { timeout: 60_000 }).toBe("first");
  expect(forwardingState(stack.paths).pid).toBe(pid);
  await person.context.close();
});
