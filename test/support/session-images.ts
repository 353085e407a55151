/** Draws the images of the sessions' page in `docs/images/`: `node test/support/session-images.ts`, with Node 24. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPage } from "../../components/sandbox/page/server.ts";
import { guestUrl, pageUrl } from "../../components/sandbox/page/url.ts";
import { openBrowser } from "./browser.ts";
import type { FakeSession } from "./fake-session.ts";
import { startFakeSessions } from "./fake-sessions.ts";

const images = join(import.meta.dirname, "../../docs/images");
const screen = { viewport: { width: 1000, height: 760 }, deviceScaleFactor: 1.5 };
/** The page says how long the agent has worked on a message. */
const workedMs = 6_000;

/** A session of two people, in which an answer is being streamed and two messages wait. */
function play(session: FakeSession): void {
  session.publish({ type: "created", by: "Maya", changeling: "payments", title: "Retry webhooks that time out" });
  session.publish({ type: "ready", branch: "harvest/webhooks" });
  session.post("Maya", "Retry webhooks whose receiver times out, with a backoff.");
  session.begin();
  session.tool({ name: "Bash", input: { command: "npm test -- webhooks" }, output: "12 passed" });
  session.say("Webhooks are sent again after 1, 4 and 16 minutes. After that, they are in the table `dead_webhooks`.");
  session.finish();
  const question = session.post("Jonas", "Does the backoff hold up the other receivers while it waits?");
  session.begin();
  session.finish("failed", { code: "model_unavailable", message: "the model is overloaded" });
  session.retry(question, "Maya");
  session.begin();
  session.say("No. Each receiver has its own queue, so a slow one only delays itself.");
  session.finish();
  session.post("Maya", "Good. Now add a page to the docs, and a line in the changelog.");
  session.begin();
  session.tool({ name: "Write", input: { file_path: "docs/webhooks.md" }, output: "written" });
  session.tool({ name: "Bash", input: { command: "npm run docs:check" } });
  session.say("The page explains when a webhook is retried, and how to");
  session.post("Jonas", "And please mention the table for dead ones.");
  session.post("Maya", "Then open a pull request.");
}

const folder = mkdtempSync(join(tmpdir(), "images-"));
const browser = await openBrowser();
const service = await startFakeSessions();
const served = await startPage({ folder, service: () => service.file });
try {
  const session = service.session({
    ...{ title: "Retry webhooks that time out", changeling: "payments", branch: "harvest/webhooks" },
    limits: { costUsd: 5 },
  });
  play(session);
  Object.assign(session.view, { used: { messages: 5, minutes: 7.4, costUsd: 0.84 } });
  const jonas = await browser.newPerson();
  await (await jonas.newPage()).goto(
    guestUrl(folder, { session: session.id, token: session.invite("Jonas", "guest") }),
  );
  for (const colorScheme of ["light", "dark"] as const) {
    const maya = await browser.newPerson({ ...screen, colorScheme });
    const page = await maya.newPage();
    await page.goto(pageUrl(folder, { session: session.id, person: "Maya" }));
    await page.locator(".people li").nth(1).waitFor();
    await page.waitForTimeout(workedMs);
    await page.screenshot({ path: join(images, `session-${colorScheme}.png`) });
    await maya.context.close();
  }
} finally {
  await browser.close();
  await served.close();
  await service[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}
