import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type RunningPage, startPage } from "../../components/sandbox/page/server.ts";
import { guestUrl, pageUrl } from "../../components/sandbox/page/url.ts";
import { openBrowser, type Person, type TestBrowser } from "../support/browser.ts";
import { type FakeSession, type FakeSessions, startFakeSessions } from "../support/fake-sessions.ts";
import { SessionLab } from "../support/session-lab.ts";

let browser: TestBrowser;
let folder: string;
let service: FakeSessions;
let served: RunningPage;
let session: FakeSession;
const people: Person[] = [];
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "page-"));
  service = await startFakeSessions();
  served = await startPage({ folder, service: () => service.file });
  session = service.session({ title: "Fix the tests", branch: "harvest/fix" });
  session.tell({ type: "created", by: "Maya", changeling: "example" });
  session.tell({ type: "progress", text: "cloning" });
  session.tell({ type: "ready", branch: "harvest/fix" });
});
afterEach(async () => {
  for (const { context } of people.splice(0)) await context.close();
  await served.close();
  await service[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function person(url: string, options: BrowserContextOptions = {}): Promise<Page & { complaints(): string[] }> {
  const opened = await browser.newPerson(options);
  people.push(opened);
  const page = await opened.newPage();
  await page.goto(url);
  await page.locator("body.session .pill").waitFor();
  // That a request was refused is printed by the browser itself.
  const complaints = () => opened.complaints.filter((each) => !/Failed to load resource/.test(each));
  return Object.assign(page, { complaints });
}

const owner = (options?: BrowserContextOptions) =>
  person(pageUrl(folder, { session: session.id, person: "Maya" }), options);
const guest = (name = "Jonas") =>
  person(guestUrl(folder, { session: session.id, token: session.invite(name, "guest") }));
const textOf = (locator: Locator) => expect.poll(() => locator.textContent());
/** Until what was just done is drawn. */
const twoFrames = "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))";
const message = (page: Page, number: number) => page.locator(`#message-${number}`);

describe("a session", () => {
  it("is shared by two people: prompts, the streamed answer, the queue, presence", async () => {
    const [maya, jonas] = [await owner(), await guest()];
    expect(maya.url()).toBe(`${served.url}/sessions/${session.id}`);
    await expect.poll(() => maya.locator(".people li").count()).toBe(2);
    await maya.keyboard.type("List the files");
    await maya.keyboard.press("Shift+Enter");
    await maya.keyboard.type("of src");
    await maya.keyboard.press("Enter");
    await textOf(message(jonas, 1).locator(".text")).toBe("List the files\nof src");
    await textOf(message(jonas, 1).locator(".head strong")).toBe("Maya");
    expect(await maya.locator("#text").inputValue()).toBe("");

    session.begin();
    session.say("There ");
    await textOf(message(jonas, 1).locator(".answer .text")).toBe("There ");
    session.say("are **two**:\n\n```\na.ts\nb.ts\n```");
    for (const page of [maya, jonas]) {
      await textOf(message(page, 1).locator(".answer pre")).toBe("a.ts\nb.ts");
      await textOf(page.locator(".pill")).toMatch(/^Working/);
    }
    await jonas.locator("#text").fill("And the tests?");
    await jonas.getByRole("button", { name: "Send" }).click();
    await textOf(maya.locator(".queue summary")).toBe("1 message waits");
    await textOf(message(maya, 2).locator(".state")).toBe("Queued");
    session.finish();
    await textOf(maya.locator(".pill")).toBe("Ready");
    await expect.poll(() => maya.locator('[role="log"]').textContent()).toContain("The answer is complete.");
    session.begin();
    await textOf(message(maya, 2).locator(".state")).toBe("Working");
    await expect.poll(() => maya.locator(".queue").isVisible()).toBe(false);
    await jonas.close();
    await expect.poll(() => maya.locator(".people li").count()).toBe(1);
    expect([...maya.complaints(), ...jonas.complaints()]).toEqual([]);
  });

  it("shows tool calls folded, with what they got and gave", async () => {
    session.post("Maya", "go");
    session.begin();
    session.tool({ name: "Bash", input: { command: "ls" } });
    const page = await owner();
    const tool = page.locator(".tool");
    await textOf(tool.locator("summary")).toMatch(/Bash.*ls.*\(runs\)/);
    expect(await tool.locator("pre").count()).toBe(0);
    await tool.locator("summary").click();
    await textOf(tool.locator("pre")).toBe("ls");
    session.tell({ type: "tool_result", message: 1, attempt: 1, id: "tool-0", output: "a.ts", isError: true });
    await expect.poll(() => tool.locator("pre").allTextContents()).toEqual(["ls", "a.ts"]);
    await textOf(tool.locator("summary")).toMatch(/\(failed\)/);
  });

  it("can be cancelled, retried, paused and resumed, and stopped after a question", async () => {
    const page = await owner();
    session.post("Maya", "hang");
    session.post("Jonas", "next");
    session.begin();
    await page.locator(".queue summary").click();
    await page.getByRole("button", { name: "Cancel message 2" }).click();
    await textOf(message(page, 2).locator(".state")).toBe("Cancelled");
    await page.locator("#text").press("Escape");
    await textOf(message(page, 1).locator(".state")).toBe("Cancelled");
    await message(page, 1).getByRole("button", { name: "Try again" }).click();
    await textOf(message(page, 1).locator(".state")).toBe("Queued");
    session.begin();
    session.finish("interrupted", { code: "interrupted", message: "the service was restarted" });
    await textOf(message(page, 1).locator(".problem")).toMatch(/may have been executed in part.*restarted/);
    await page.getByRole("button", { name: "Pause" }).click();
    await textOf(page.locator(".pill")).toBe("Paused");
    await page.getByRole("button", { name: "Resume" }).click();
    await textOf(page.locator(".pill")).toBe("Ready");
    await page.getByRole("button", { name: "Stop …" }).click();
    await page.keyboard.press("Escape");
    expect(session.view.status).toBe("running");
    await page.getByRole("button", { name: "Stop …" }).click();
    await page.getByRole("button", { name: "Stop the session" }).click();
    await textOf(page.locator(".pill")).toBe("Terminated");
    await expect.poll(() => page.locator("#text").isVisible()).toBe(false);
    expect(page.complaints()).toEqual([]);
  });

  it("lets a guest neither pause it nor cancel what others have sent", async () => {
    session.post("Maya", "hers");
    session.begin();
    const page = await guest();
    await textOf(message(page, 1).locator(".state")).toBe("Working");
    expect(await page.locator(".controls").isVisible()).toBe(false);
    await page.keyboard.press("Escape");
    session.finish("failed", { code: "timeout", message: "too long" });
    await textOf(message(page, 1).locator(".problem")).toMatch(/too long/);
    expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
    expect(await page.locator(".back").count()).toBe(0);
    session.revoke("Jonas");
    await textOf(page.locator("h1")).toBe("Not logged in");
  });

  it("shows the limits and what was used", async () => {
    Object.assign(session.view, { limits: { costUsd: 5 }, used: { messages: 2, minutes: 3.5, costUsd: 1.25 } });
    const page = await owner();
    await textOf(page.locator(".use")).toMatch(/2 messages.*3 min 30 s.*\$1\.25 of \$5\.00/);
  });

  it("shows the branch's diff, by file, and again after a message", async () => {
    session.diff =
      "diff --git a/a.ts b/a.ts\n--- a/a.ts\n+++ b/a.ts\n@@ -1,2 +1,2 @@\n same\n-old <script>alert(1)</script>\n+new \u202e\n";
    const page = await owner();
    await page.getByRole("button", { name: "Changes" }).click();
    const file = page.locator(".file");
    await textOf(file.locator("summary")).toBe("a.ts+1 −1");
    expect(await file.locator(".code").allTextContents()).toEqual([
      ...["@@ -1,2 +1,2 @@", "same", "old <script>alert(1)</script>", "new ⟨U+202E⟩"],
    ]);
    await file.locator("summary").click();
    expect(await file.locator(".diff").isVisible()).toBe(false);
    session.diff = "";
    session.post("Maya", "revert");
    session.begin();
    session.finish();
    await textOf(page.locator(".changes-head .soft")).toBe("Nothing has changed on this branch.");
  });
});

describe("what is hostile", () => {
  it("is only ever text", async () => {
    const attack = '<img src=x onerror="document.title=1"><script>document.title=1</script>\u202e\u0000';
    const shown = `${attack.replace("\u202e\u0000", "")}⟨U+202E⟩⟨U+0000⟩`;
    session.view.title = attack;
    session.post(attack, attack);
    session.begin();
    session.say(`${attack}\n\n\`\`\`\n${attack}\n\`\`\`\njavascript:alert(1) \`${attack}\``);
    session.tool({ name: attack, input: { command: attack }, output: attack });
    session.tell({ type: "notice", message: 1, attempt: 1, text: attack });
    session.finish("failed", { code: attack, message: attack });
    session.tell({ type: "invited", name: attack, role: "guest", by: attack });
    session.diff = `diff --git a/${attack} b/${attack}\n@@ -1 +1 @@\n+${attack}\n`;
    const page = await owner();
    await page.locator(".tool summary").click();
    await page.getByRole("button", { name: "Changes" }).click();
    await page.locator(".diff-line").first().waitFor();
    expect(await page.locator("img, body script, iframe, [onerror], [href^='javascript']").count()).toBe(0);
    await textOf(message(page, 1).locator(".answer pre").first()).toBe(shown);
    await textOf(page.locator("h1")).toBe(shown);
    expect(await page.title()).toBe(shown);
    expect(page.complaints()).toEqual([]);
  });

  it("makes the page no wider, however long a line is", async () => {
    const long = "x".repeat(50_000);
    session.post(long.slice(0, 3000), long);
    session.begin();
    session.say(`${long}\n\n\`\`\`\n${long}\n\`\`\``);
    session.tool({ name: long.slice(0, 500), input: { command: long }, output: long });
    session.diff = `diff --git a/${long} b/${long}\n@@ -1 +1 @@\n+${long}\n`;
    const page = await owner({ viewport: { width: 360, height: 640 } });
    await page.locator(".tool summary").click();
    for (const tab of ["Conversation", "Changes"]) {
      await page.getByRole("button", { name: tab }).click();
      await page.evaluate(twoFrames);
      const widths =
        "[document.documentElement, document.querySelector('.conversation'), document.querySelector('.changes')]";
      expect(await page.evaluate(`${widths}.every((each) => each.scrollWidth <= 360)`)).toBe(true);
    }
  });

  it("can't load, send or frame anything: the policy holds", async () => {
    const page = await owner();
    const outcome = await page.evaluate(`(async () => {
      const script = document.createElement("script");
      let isBlocked = false;
      try { script.text = "document.title = 'ran'"; document.body.append(script); } catch { isBlocked = true; }
      const sent = await fetch("http://127.0.0.1:9/").then(() => "sent", () => "blocked");
      return [isBlocked, document.title !== "ran", sent, document.cookie];
    })()`);
    expect(outcome).toEqual([true, true, "blocked", ""]);
  });
});

describe("the connection", () => {
  it("is made again with the cursor, says that it is gone, and sends what could not be sent, once", async () => {
    const page = await owner();
    session.post("Maya", "one");
    session.begin();
    session.say("before, ");
    await textOf(message(page, 1).locator(".answer .text")).toBe("before, ");
    service.goAway();
    await expect.poll(() => page.locator(".banner").isVisible()).toBe(true);
    session.say("meanwhile, ");
    await page.locator("#text").fill("sent while offline");
    await page.keyboard.press("Enter");
    await textOf(page.locator("ul.pending")).toBe("Sending: sent while offline");
    service.comeBack();
    await expect.poll(() => page.locator(".banner").isVisible()).toBe(false);
    session.say("after");
    await textOf(message(page, 1).locator(".answer .text")).toBe("before, meanwhile, after");
    await textOf(message(page, 2).locator(".text")).toBe("sent while offline");
    await expect.poll(() => page.locator("ul.pending").isVisible()).toBe(false);
    expect(session.messages).toHaveLength(2);
    const cursors = service.asked.flatMap((each) => /events\?from=(\d+)$/.exec(each)?.[1] ?? []);
    expect(Number(cursors.at(-1))).toBeGreaterThan(Number(cursors[0]));
  });

  it("keeps what was typed over a reload", async () => {
    const page = await owner();
    await page.locator("#text").fill("half a thought");
    await page.reload();
    expect(await page.locator("#text").inputValue()).toBe("half a thought");
  });
});

it("stays usable with 5,000 events", async () => {
  for (let at = 0; at < 400; at++) {
    session.post("Maya", `message ${at}`);
    session.begin();
    for (let step = 0; step < 5; step++)
      session.tool({ name: "Bash", input: { command: `step ${step}` }, output: "ok" });
    session.say("done");
    session.finish();
  }
  session.post("Maya", "a long one");
  session.begin();
  for (let step = 0; step < 600; step++)
    session.tool({ name: "Bash", input: { command: `step ${step}` }, output: "ok" });
  expect(session.view.cursor).toBeGreaterThan(5000);
  const page = await owner();
  await message(page, 401).waitFor();
  // The newest at the end of the page, and only a part of the whole.
  await expect.poll(() => page.evaluate("document.querySelectorAll('*').length")).toBeLessThan(12_000);
  await textOf(page.locator(".earlier")).toMatch(/^Show earlier/);
  const before = await message(page, 401).count();
  await page.locator(".earlier").click();
  await message(page, 200).waitFor({ state: "attached" });
  await page.getByRole("button", { name: "earlier steps" }).click();
  await expect.poll(() => message(page, 401).locator(".tool").count()).toBe(600);
  // Frames are drawn while events come in.
  const frames = page.evaluate(`new Promise((resolve) => {
    let left = 30;
    const next = () => (--left === 0 ? resolve() : requestAnimationFrame(next));
    requestAnimationFrame(next);
  })`);
  for (let at = 0; at < 100; at++) session.say(`word${at} `);
  await textOf(message(page, 401).locator(".answer .text")).toMatch(/word99 $/);
  await frames;
  expect(before).toBe(1);
});

it("can be used by the keyboard alone", async () => {
  session.post("Maya", "go");
  session.begin();
  session.tool({ name: "Bash", input: { command: "ls" }, output: "ok" });
  session.diff = "diff --git a/a.ts b/a.ts\n@@ -1 +1 @@\n+x\n";
  const page = await owner();
  await page.locator(".tool").waitFor();
  const focused = () =>
    page.evaluate(
      "(document.activeElement.textContent || document.activeElement.id || document.activeElement.tagName).trim().slice(0, 40)",
    );
  expect(await focused()).toBe("text");
  await page.locator(".skip").focus();
  const order: unknown[] = [];
  for (let step = 0; step < 12; step++) {
    await page.keyboard.press("Tab");
    order.push(await focused());
    if (order.at(-1) === "Send") break;
  }
  expect(order).toEqual([
    ...["Sessions", "Pause", "Stop …", "Log out", "Conversation", "Changes"],
    ...[expect.stringMatching(/sandbox is ready/), expect.stringMatching(/^Bash/), "text", "Cancel", "Send"],
  ]);
  await page.locator(".skip").focus();
  await page.keyboard.press("Enter");
  expect(await focused()).toBe("text");
  await page.locator(".tool summary").focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator(".tool pre").first().isVisible()).toBe(true);
  await page.getByRole("button", { name: "Pause" }).focus();
  await page.keyboard.press("Enter");
  await textOf(page.locator(".pill")).toMatch(/^Pausing/);
  expect(await focused()).toBe("Resume");
});

it("fits a phone, in the dark too, and moves nothing for those who don't want it", async () => {
  session.post("Maya", "go");
  session.begin();
  session.say("An answer. ".repeat(200));
  const options = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true } as const;
  const page = await owner({ ...options, colorScheme: "dark", reducedMotion: "reduce" });
  await message(page, 1).waitFor();
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
  const [background, animation] = (await page.evaluate(
    "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('.pill'), '::before').animationName]",
  )) as string[];
  expect(background).toBe("rgb(23, 23, 22)");
  expect(animation).toBe("none");
  // What is tapped is large enough, and the conversation has most of the page.
  const sizes = (await page.evaluate(
    "[...document.querySelectorAll('button')].filter((each) => each.checkVisibility()).map((each) => each.getBoundingClientRect().height)",
  )) as number[];
  expect(Math.min(...sizes)).toBeGreaterThanOrEqual(32);
  expect(await page.evaluate("document.querySelector('.conversation').clientHeight")).toBeGreaterThan(350);
  // A reader who scrolled up stays there.
  await page.evaluate("document.querySelector('.conversation').scrollTop = 10");
  await page.evaluate(twoFrames);
  session.say("more");
  await page.getByRole("button", { name: "Latest" }).waitFor();
  expect(await page.evaluate("document.querySelector('.conversation').scrollTop")).toBe(10);
});

describe("access", () => {
  it("lists the sessions of the owner, and opens one", async () => {
    const opened = await browser.newPerson();
    people.push(opened);
    const page = await opened.newPage();
    service.session({ changeling: "other", status: "terminated" });
    await page.goto(pageUrl(folder, { person: "Maya" }));
    await textOf(page.locator(".sessions")).toMatch(/^Fix the testsRunningexample/);
    expect(page.url()).toBe(`${served.url}/`);
    await page.getByLabel("Terminated sessions too").check();
    await expect.poll(() => page.locator(".sessions li").count()).toBe(2);
    session.view.isAsleep = true;
    await page.reload();
    await textOf(page.locator(".sessions")).toMatch(/^Fix the testsAsleepexample/);
    await page.getByRole("link", { name: "Fix the tests" }).click();
    await textOf(page.locator("h1")).toBe("Fix the tests");
    // The login is the tab's own.
    const other = await opened.newPage();
    await other.goto(`${served.url}/`);
    await textOf(other.locator("h1")).toBe("Not logged in");
    expect(await opened.context.cookies()).toEqual([]);
  });

  it("ends at a logout by the keyboard, on the list and in a session, also for tabs that have the same login", async () => {
    for (const at of [undefined, session.id]) {
      const opened = await browser.newPerson({ colorScheme: at === undefined ? "dark" : "light" });
      people.push(opened);
      const page = await opened.newPage();
      await page.goto(pageUrl(folder, { session: at, person: "Maya" }));
      const button = page.getByRole("button", { name: "Log out" });
      await button.waitFor();
      const { token } = JSON.parse((await page.evaluate("sessionStorage.getItem('login')")) as string);
      const [copy] = await Promise.all([page.waitForEvent("popup"), page.evaluate(`open("/sessions/${session.id}")`)]);
      await textOf(copy.locator(".pill")).toBe("Ready");
      await button.focus();
      await page.keyboard.press("Enter");
      await textOf(page.locator("h1")).toBe("Not logged in");
      expect(page.url()).toBe(`${served.url}/`);
      expect(await page.evaluate("sessionStorage.length")).toBe(0);
      await textOf(copy.locator("h1")).toBe("Not logged in");
      const { status } = await fetch(`${served.url}/api/sessions`, { headers: { authorization: `Bearer ${token}` } });
      expect(status).toBe(401);
      expect(opened.complaints.filter((each) => !/Failed to load resource/.test(each))).toEqual([]);
    }
  });

  it("goes on if the logout did not reach the server, and says so", async () => {
    const page = await owner();
    await served.close();
    await page.getByRole("button", { name: "Log out" }).click();
    await textOf(page.locator(".alerts")).toMatch(/may still be logged in.*can’t be reached/);
    expect(await page.evaluate("sessionStorage.getItem('login')")).toContain("Maya");
  });

  it("leaves neither code nor token in the address or the history", async () => {
    const page = await guest();
    expect(page.url()).toBe(`${served.url}/sessions/${session.id}`);
    await page.reload();
    await textOf(page.locator("h1")).toBe("Fix the tests");
    await page.goto("about:blank");
    await page.goBack();
    expect(page.url()).not.toContain("token");
  });

  it("says what to do with a URL that was used, and at an address without a session", async () => {
    const url = pageUrl(folder, { session: session.id, person: "Maya" });
    await person(url);
    const opened = await browser.newPerson();
    people.push(opened);
    const page = await opened.newPage();
    await page.goto(url);
    await textOf(page.locator("h1")).toBe("Not logged in");
    await textOf(page.locator("main")).toContain("changeling sandbox open");
    await page.goto("about:blank");
    await page.goto(pageUrl(folder, { session: "b".repeat(20), person: "Maya" }));
    await vi.waitFor(async () => expect(await page.locator("h1").textContent()).toBe("No such session"));
  });
});

describe("with the session service on workerd", () => {
  it("is the same, over a restart of the service", async () => {
    await using lab = await SessionLab.start();
    const id = await lab.session();
    const token = await lab.client().invite(id, { name: "Jonas", role: "guest" });
    const maya = await person(pageUrl(lab.folder, { session: id, person: "Maya" }));
    const jonas = await person(guestUrl(lab.folder, { session: id, token }));
    await expect.poll(() => jonas.locator(".people li").count()).toBe(2);
    expect([await maya.locator(".controls").isVisible(), await jonas.locator(".controls").isVisible()]).toEqual([
      ...[true, false],
    ]);
    await maya.locator("#text").fill("stream 30");
    await maya.keyboard.press("Enter");
    await textOf(message(jonas, 1).locator(".answer .text")).toMatch(/^word0 .* word29 $/);
    await jonas.locator("#text").fill("hang");
    await jonas.keyboard.press("Enter");
    await textOf(message(maya, 2).locator(".state")).toBe("Working");
    await textOf(message(maya, 2).locator(".head strong")).toBe("Jonas");

    lab.killWorkerd();
    await expect.poll(() => maya.locator(".banner").isVisible()).toBe(true);
    await expect.poll(() => maya.locator(".banner").isVisible()).toBe(false);
    await jonas.locator("#text").press("Escape");
    await textOf(message(maya, 2).locator(".state")).toBe("Cancelled");
    await message(jonas, 2).getByRole("button", { name: "Try again" }).click();
    await textOf(message(maya, 2).locator(".state")).toBe("Working");
    await maya.getByRole("button", { name: "Changes" }).click();
    await textOf(maya.locator(".file summary")).toMatch(/^file/);
    await maya.getByRole("button", { name: "Stop …" }).click();
    await maya.getByRole("button", { name: "Stop the session" }).click();
    for (const page of [maya, jonas]) await textOf(page.locator(".pill")).toBe("Terminated");
    expect([...maya.complaints(), ...jonas.complaints()]).toEqual([]);
  });
});
