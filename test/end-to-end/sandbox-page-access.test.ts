import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { RunningPage } from "../../components/sandbox/page/server.ts";
import { guestUrl, pageUrl } from "../../components/sandbox/page/url.ts";
import { openBrowser, type TestBrowser } from "../support/browser.ts";
import type { FakeSession } from "../support/fake-session.ts";
import type { FakeSessions } from "../support/fake-sessions.ts";
import { SessionLab } from "../support/session-lab.ts";
import { messageIn, SessionPage, textOf, twoFrames } from "../support/session-page.ts";

let browser: TestBrowser;
let lab: SessionPage;
let folder: string;
let service: FakeSessions;
let served: RunningPage;
let session: FakeSession;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  lab = await SessionPage.open(browser);
  ({ folder, service, served, session } = lab);
});
afterEach(async () => {
  await lab[Symbol.asyncDispose]();
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
    session.publish({ type: "notice", message: 1, attempt: 1, text: attack });
    session.finish("failed", { code: attack, message: attack });
    session.publish({ type: "invited", name: attack, role: "guest", by: attack });
    session.diff = `diff --git a/${attack} b/${attack}\n@@ -1 +1 @@\n+${attack}\n`;
    const page = await lab.owner();
    await page.locator(".tool summary").click();
    await page.getByRole("button", { name: "Changes" }).click();
    await page.locator(".diff-line").first().waitFor();
    expect(await page.locator("img, body script, iframe, [onerror], [href^='javascript']").count()).toBe(0);
    await textOf(messageIn(page, 1).locator(".answer pre").first()).toBe(shown);
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
    const page = await lab.owner({ viewport: { width: 360, height: 640 } });
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
    const page = await lab.owner();
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
    const page = await lab.owner();
    session.post("Maya", "one");
    session.begin();
    session.say("before, ");
    await textOf(messageIn(page, 1).locator(".answer .text")).toBe("before, ");
    service.goAway();
    await expect.poll(() => page.locator(".banner").isVisible()).toBe(true);
    session.say("meanwhile, ");
    await page.locator("#text").fill("sent while offline");
    await page.keyboard.press("Enter");
    await textOf(page.locator("ul.pending")).toBe("Sending: sent while offline");
    service.comeBack();
    await expect.poll(() => page.locator(".banner").isVisible()).toBe(false);
    session.say("after");
    await textOf(messageIn(page, 1).locator(".answer .text")).toBe("before, meanwhile, after");
    await textOf(messageIn(page, 2).locator(".text")).toBe("sent while offline");
    await expect.poll(() => page.locator("ul.pending").isVisible()).toBe(false);
    expect(session.messages).toHaveLength(2);
    const cursors = service.asked.flatMap((each) => /events\?from=(\d+)$/.exec(each)?.[1] ?? []);
    expect(Number(cursors.at(-1))).toBeGreaterThan(Number(cursors[0]));
  });

  it("keeps what was typed over a reload", async () => {
    const page = await lab.owner();
    await page.locator("#text").fill("half a thought");
    await page.reload();
    expect(await page.locator("#text").inputValue()).toBe("half a thought");
  });
});

describe("access", () => {
  it("lists the sessions of the owner, and opens one", async () => {
    const opened = await lab.newPerson();
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
      const opened = await lab.newPerson({ colorScheme: at === undefined ? "dark" : "light" });
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
    const page = await lab.owner();
    await served.close();
    await page.getByRole("button", { name: "Log out" }).click();
    await textOf(page.locator(".alerts")).toMatch(/may still be logged in.*can’t be reached/);
    expect(await page.evaluate("sessionStorage.getItem('login')")).toContain("Maya");
  });

  it("leaves neither code nor token in the address or the history", async () => {
    const page = await lab.guest();
    expect(page.url()).toBe(`${served.url}/sessions/${session.id}`);
    await page.reload();
    await textOf(page.locator("h1")).toBe("Fix the tests");
    await page.goto("about:blank");
    await page.goBack();
    expect(page.url()).not.toContain("token");
  });

  it("says what to do with a URL that was used, and at an address without a session", async () => {
    const url = pageUrl(folder, { session: session.id, person: "Maya" });
    await lab.person(url);
    const opened = await lab.newPerson();
    const page = await opened.newPage();
    await page.goto(url);
    await textOf(page.locator("h1")).toBe("Not logged in");
    await textOf(page.locator("main")).toContain("changeling sandbox open");
    await page.goto("about:blank");
    await page.goto(pageUrl(folder, { session: "b".repeat(20), person: "Maya" }));
    await vi.waitFor(async () => expect(await page.locator("h1").textContent()).toBe("No such session"), 15_000);
  });
});

describe("with the session service on workerd", () => {
  it("is the same, over a restart of the service", async () => {
    await using real = await SessionLab.start();
    const id = await real.session();
    const token = await real.client().invite(id, { name: "Jonas", role: "guest" });
    const maya = await lab.person(pageUrl(real.folder, { session: id, person: "Maya" }));
    const jonas = await lab.person(guestUrl(real.folder, { session: id, token }));
    await expect.poll(() => jonas.locator(".people li").count()).toBe(2);
    expect([await maya.locator(".controls").isVisible(), await jonas.locator(".controls").isVisible()]).toEqual([
      ...[true, false],
    ]);
    await maya.locator("#text").fill("stream 30");
    await maya.keyboard.press("Enter");
    await textOf(messageIn(jonas, 1).locator(".answer .text")).toMatch(/^word0 .* word29 $/);
    await jonas.locator("#text").fill("hang");
    await jonas.keyboard.press("Enter");
    await textOf(messageIn(maya, 2).locator(".state")).toBe("Working");
    await textOf(messageIn(maya, 2).locator(".head strong")).toBe("Jonas");

    real.killWorkerd();
    await expect.poll(() => maya.locator(".banner").isVisible()).toBe(true);
    await expect.poll(() => maya.locator(".banner").isVisible()).toBe(false);
    await jonas.locator("#text").press("Escape");
    await textOf(messageIn(maya, 2).locator(".state")).toBe("Cancelled");
    await messageIn(jonas, 2).getByRole("button", { name: "Try again" }).click();
    await textOf(messageIn(maya, 2).locator(".state")).toBe("Working");
    await maya.getByRole("button", { name: "Changes" }).click();
    await textOf(maya.locator(".file summary")).toMatch(/^file/);
    await maya.getByRole("button", { name: "Stop …" }).click();
    await maya.getByRole("button", { name: "Stop the session" }).click();
    for (const page of [maya, jonas]) await textOf(page.locator(".pill")).toBe("Terminated");
    expect([...maya.complaints(), ...jonas.complaints()]).toEqual([]);
  });
});
