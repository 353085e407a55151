import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { type RunningPage, startPage } from "../../components/sandbox/page/server.ts";
import { guestUrl, pageUrl } from "../../components/sandbox/page/url.ts";
import type { Person, TestBrowser } from "./browser.ts";
import type { FakeSession } from "./fake-session.ts";
import { type FakeSessions, startFakeSessions } from "./fake-sessions.ts";

type SessionTab = Page & { complaints(): string[] };

/** The page of one session, with a service that executes nothing, and the people who open it. */
export class SessionPage implements AsyncDisposable {
  readonly folder: string;
  readonly service: FakeSessions;
  readonly served: RunningPage;
  readonly session: FakeSession;
  readonly #browser: TestBrowser;
  readonly #people: Person[] = [];

  private constructor(browser: TestBrowser, folder: string, service: FakeSessions, served: RunningPage) {
    this.#browser = browser;
    this.folder = folder;
    this.service = service;
    this.served = served;
    this.session = service.session({ title: "Fix the tests", branch: "harvest/fix" });
    this.session.publish({ type: "created", by: "Maya", changeling: "example" });
    this.session.publish({ type: "progress", text: "cloning" });
    this.session.publish({ type: "ready", branch: "harvest/fix" });
  }

  static async open(browser: TestBrowser): Promise<SessionPage> {
    const folder = mkdtempSync(join(tmpdir(), "page-"));
    const service = await startFakeSessions();
    const served = await startPage({ folder, service: () => service.file });
    return new SessionPage(browser, folder, service, served);
  }

  /** A person with another browser, which is closed at the end. */
  async newPerson(options: BrowserContextOptions = {}): Promise<Person> {
    const person = await this.#browser.newPerson(options);
    this.#people.push(person);
    return person;
  }

  /** Opens the page of a session as another person. */
  async person(url: string, options: BrowserContextOptions = {}): Promise<SessionTab> {
    const opened = await this.newPerson(options);
    const page = await opened.newPage();
    await page.goto(url);
    await page.locator("body.session .pill").waitFor();
    // The browser itself prints that a request was rejected.
    const complaints = () => opened.complaints.filter((each) => !/Failed to load resource/.test(each));
    return Object.assign(page, { complaints });
  }

  async owner(options?: BrowserContextOptions): Promise<SessionTab> {
    return await this.person(pageUrl(this.folder, { session: this.session.id, person: "Maya" }), options);
  }

  async guest(name = "Jonas"): Promise<SessionTab> {
    const token = this.session.invite(name, "guest");
    return await this.person(guestUrl(this.folder, { session: this.session.id, token }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { context } of this.#people) await context.close();
    await this.served.close();
    await this.service[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const textOf = (locator: Locator) => expect.poll(() => locator.textContent());
export const messageIn = (page: Page, number: number) => page.locator(`#message-${number}`);
/** For `evaluate`: waits until the last change is drawn. */
export const twoFrames = "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))";
