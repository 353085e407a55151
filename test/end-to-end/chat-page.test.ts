import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openBrowser, type TestBrowser } from "../support/browser.ts";
import { ChatLab } from "../support/chat.ts";

let browser: TestBrowser;
let lab: ChatLab;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());
beforeEach(() => {
  lab = new ChatLab();
});
afterEach(() => lab.remove());

test("a conversation continues on two pages, after a restart and after a lost connection", async () => {
  let chat = await lab.start();
  const { port } = new URL(chat.url);
  const person = await browser.newPerson();
  const [page, other] = [await person.newPage(), await person.newPage()];
  for (const each of [page, other]) await each.goto(chat.url);
  const texts = (of = page) => of.locator("article .text").allTextContents();
  const status = page.getByRole("status");
  await expect.poll(() => status.textContent()).toBe("connected");

  await page.keyboard.type("**hi** <img src=x onerror=alert(1)>");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("`code` https://example.org/");
  await page.keyboard.press("Enter");
  const said = "**hi** <img src=x onerror=alert(1)>\ncode https://example.org/";
  await expect.poll(() => texts()).toEqual([said, `You said: ${said}`]);
  await expect.poll(() => texts(other)).toEqual([said, `You said: ${said}`]);
  expect(await page.locator("article img").count()).toBe(0);
  expect(await page.getByRole("textbox").inputValue()).toBe("");
  // What the script makes of a message is what the server makes of it.
  const made = await page.locator("#messages").innerHTML();
  await page.reload();
  expect(await page.locator("#messages").innerHTML()).toBe(made.replaceAll("</article>", "</article>\n"));

  await chat.end("SIGKILL");
  await expect.poll(() => status.textContent()).toBe("connecting");
  await page.keyboard.type("are you there?");
  await page.keyboard.press("Enter");
  await expect.poll(() => status.textContent()).toMatch(/^(not sent, try again|connecting)$/);
  expect(await page.getByRole("textbox").inputValue()).toBe("are you there?");
  await other.goto(chat.url);
  expect(await other.getByRole("heading").textContent()).toBe("No connection");

  chat = await lab.start({ PORT: port });
  await expect.poll(() => status.textContent()).toBe("connected");
  await page.getByRole("button").click();
  await expect.poll(async () => (await texts()).slice(2)).toEqual(["are you there?", "You said: are you there?"]);
  await other.getByRole("link").click();
  expect((await texts(other)).length).toBe(4);
  await person.context.close();
});

test("works with server-sent events without WebSockets, and with a form without scripts", async () => {
  const chat = await lab.start();
  const without = await browser.newPerson();
  await without.context.addInitScript(
    "window.WebSocket = class { constructor() { setTimeout(() => this.onclose()); } };",
  );
  const page = await without.newPage();
  await page.goto(chat.url);
  await expect.poll(() => page.getByRole("status").textContent()).toBe("connected");
  await chat.ask("over events");
  await expect.poll(() => page.locator("article").count()).toBe(2);

  const plain = await browser.newPerson({ javaScriptEnabled: false });
  const form = await plain.newPage();
  await form.goto(chat.url);
  await form.getByRole("textbox").fill("by form");
  await form.getByRole("button").click();
  await expect.poll(() => form.locator("article").count()).toBeGreaterThan(2);
  await chat.answerTo(3);
  await form.reload();
  expect(await form.locator("article .text").allTextContents()).toEqual([
    ...["over events", "You said: over events", "by form", "You said: by form"],
  ]);
  expect([...without.complaints, ...plain.complaints]).toEqual([]);
  await Promise.all([without.context.close(), plain.context.close()]);
});
