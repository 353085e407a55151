import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RunningPage } from "../../components/sandbox/page/server.ts";
import { pageUrl } from "../../components/sandbox/page/url.ts";
import { openBrowser, type TestBrowser } from "../support/browser.ts";
import type { FakeSession } from "../support/fake-session.ts";
import { messageIn, SessionPage, textOf, twoFrames } from "../support/session-page.ts";

let browser: TestBrowser;
let lab: SessionPage;
let served: RunningPage;
let session: FakeSession;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  lab = await SessionPage.open(browser);
  ({ served, session } = lab);
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
});

describe("a session", () => {
  it("is shared by two people: prompts, the streamed answer, the queue, presence", async () => {
    const [maya, jonas] = [await lab.owner(), await lab.guest()];
    expect(maya.url()).toBe(`${served.url}/sessions/${session.id}`);
    await expect.poll(() => maya.locator(".people li").count()).toBe(2);
    await maya.keyboard.type("List the files");
    await maya.keyboard.press("Shift+Enter");
    await maya.keyboard.type("of src");
    await maya.keyboard.press("Enter");
    await textOf(messageIn(jonas, 1).locator(".text")).toBe("List the files\nof src");
    await textOf(messageIn(jonas, 1).locator(".head strong")).toBe("Maya");
    expect(await maya.locator("#text").inputValue()).toBe("");

    session.begin();
    session.say("There ");
    await textOf(messageIn(jonas, 1).locator(".answer .text")).toBe("There ");
    session.say("are **two**:\n\n```\na.ts\nb.ts\n```");
    for (const page of [maya, jonas]) {
      await textOf(messageIn(page, 1).locator(".answer pre")).toBe("a.ts\nb.ts");
      await textOf(page.locator(".pill")).toMatch(/^Working/);
    }
    await jonas.locator("#text").fill("And the tests?");
    await jonas.getByRole("button", { name: "Send" }).click();
    await textOf(maya.locator(".queue summary")).toBe("1 message waits");
    await textOf(messageIn(maya, 2).locator(".state")).toBe("Queued");
    session.finish();
    await textOf(maya.locator(".pill")).toBe("Ready");
    await expect.poll(() => maya.locator('[role="log"]').textContent()).toContain("The answer is complete.");
    session.begin();
    await textOf(messageIn(maya, 2).locator(".state")).toBe("Working");
    await expect.poll(() => maya.locator(".queue").isVisible()).toBe(false);
    await jonas.close();
    await expect.poll(() => maya.locator(".people li").count()).toBe(1);
    expect([...maya.complaints(), ...jonas.complaints()]).toEqual([]);
  });

  it("shows tool calls folded, with what they got and gave", async () => {
    session.post("Maya", "go");
    session.begin();
    session.tool({ name: "Bash", input: { command: "ls" } });
    const page = await lab.owner();
    const tool = page.locator(".tool");
    await textOf(tool.locator("summary")).toMatch(/Bash.*ls.*\(runs\)/);
    expect(await tool.locator("pre").count()).toBe(0);
    await tool.locator("summary").click();
    await textOf(tool.locator("pre")).toBe("ls");
    session.publish({ type: "tool_result", message: 1, attempt: 1, id: "tool-0", output: "a.ts", isError: true });
    await expect.poll(() => tool.locator("pre").allTextContents()).toEqual(["ls", "a.ts"]);
    await textOf(tool.locator("summary")).toMatch(/\(failed\)/);
  });

  it("can be cancelled, retried, paused and resumed, and stopped after a question", async () => {
    const page = await lab.owner();
    session.post("Maya", "hang");
    session.post("Jonas", "next");
    session.begin();
    await page.locator(".queue summary").click();
    await page.getByRole("button", { name: "Cancel message 2" }).click();
    await textOf(messageIn(page, 2).locator(".state")).toBe("Cancelled");
    await page.locator("#text").press("Escape");
    await textOf(messageIn(page, 1).locator(".state")).toBe("Cancelled");
    await messageIn(page, 1).getByRole("button", { name: "Try again" }).click();
    await textOf(messageIn(page, 1).locator(".state")).toBe("Queued");
    session.begin();
    session.finish("interrupted", { code: "interrupted", message: "the service was restarted" });
    await textOf(messageIn(page, 1).locator(".problem")).toMatch(/may have been executed in part.*restarted/);
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
    const page = await lab.guest();
    await textOf(messageIn(page, 1).locator(".state")).toBe("Working");
    expect(await page.locator(".controls").isVisible()).toBe(false);
    await page.keyboard.press("Escape");
    session.finish("failed", { code: "timeout", message: "too long" });
    await textOf(messageIn(page, 1).locator(".problem")).toMatch(/too long/);
    expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
    expect(await page.locator(".back").count()).toBe(0);
    session.revoke("Jonas");
    await textOf(page.locator("h1")).toBe("Not logged in");
  });

  it("shows the limits and what was used", async () => {
    Object.assign(session.view, { limits: { costUsd: 5 }, used: { messages: 2, minutes: 3.5, costUsd: 1.25 } });
    const page = await lab.owner();
    await textOf(page.locator(".use")).toMatch(/2 messages.*3 min 30 s.*\$1\.25 of \$5\.00/);
  });

  it("shows the branch's diff, by file, and again after a message", async () => {
    session.diff =
      "diff --git a/a.ts b/a.ts\n--- a/a.ts\n+++ b/a.ts\n@@ -1,2 +1,2 @@\n same\n-old <script>alert(1)</script>\n+new \u202e\n";
    const page = await lab.owner();
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
  const { context } = await lab.newPerson();
  // On a slow machine a frame that was planned before the load comes in the middle of it.
  await context.addInitScript(`{
    const nextFrame = requestAnimationFrame;
    globalThis.requestAnimationFrame = (run) => setTimeout(() => nextFrame(run), 150);
  }`);
  await context.route(/\/events\?from=\d+&limit=/, async (route) => {
    await setTimeout(100);
    await route.continue();
  });
  const page = await context.newPage();
  await page.goto(pageUrl(lab.folder, { session: session.id, person: "Maya" }));
  await messageIn(page, 401).waitFor();
  // The newest at the end of the page, and only a part of the whole.
  await expect.poll(() => page.evaluate("document.querySelectorAll('*').length")).toBeLessThan(12_000);
  await textOf(page.locator(".earlier")).toMatch(/^Show earlier/);
  const before = await messageIn(page, 401).count();
  await page.locator(".earlier").click();
  await messageIn(page, 200).waitFor({ state: "attached" });
  await page.getByRole("button", { name: "earlier steps" }).click();
  await expect.poll(() => messageIn(page, 401).locator(".tool").count()).toBe(600);
  // Frames are drawn while events come in.
  const frames = page.evaluate(`new Promise((resolve) => {
    let left = 30;
    const next = () => (--left === 0 ? resolve() : requestAnimationFrame(next));
    requestAnimationFrame(next);
  })`);
  for (let at = 0; at < 100; at++) session.say(`word${at} `);
  await textOf(messageIn(page, 401).locator(".answer .text")).toMatch(/word99 $/);
  await frames;
  expect(before).toBe(1);
});

it("can be used by the keyboard alone", async () => {
  session.post("Maya", "go");
  session.begin();
  session.tool({ name: "Bash", input: { command: "ls" }, output: "ok" });
  session.diff = "diff --git a/a.ts b/a.ts\n@@ -1 +1 @@\n+x\n";
  const page = await lab.owner();
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
  const page = await lab.owner({ ...options, colorScheme: "dark", reducedMotion: "reduce" });
  await messageIn(page, 1).waitFor();
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
