import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { findChromium } from "../../scripts/stack/setup/chromium.ts";

/** A real headless browser. It resolves `*.localhost` to this machine by itself. */
export interface TestBrowser {
  /** One user's browser, with its own cookies and service workers. */
  newPerson(options?: BrowserContextOptions): Promise<Person>;
  /** Ends the browser and all its processes. */
  close(): Promise<void>;
}

/** One user's browser. */
export interface Person {
  readonly context: BrowserContext;
  newPage(): Promise<Page>;
  /** Unexpected output of pages: uncaught errors and the console's. */
  readonly complaints: readonly string[];
}

/** How long (ms) anything in a page may take. */
const PATIENCE_MS = 15_000;

/** @param args additional Chromium arguments, for instance where names resolve to */
export async function openBrowser(args: readonly string[] = []): Promise<TestBrowser> {
  const executablePath = await findChromium();
  // Chromium writes more to the home folder than its profile.
  const home = mkdtempSync(join(tmpdir(), "browser-"));
  const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({
    executablePath,
    // Chromium's headless shell isolates sites only with this flag. The whole browser always does.
    args: [...asRoot, "--site-per-process", "--disable-dev-shm-usage", "--disable-gpu", ...args],
    env: { PATH: process.env["PATH"] ?? "", HOME: home, TMPDIR: home, LANG: "C.UTF-8" },
  });
  return {
    async newPerson(options = {}) {
      const context = await browser.newContext({ locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
      context.setDefaultTimeout(PATIENCE_MS);
      const complaints: string[] = [];
      context.on("weberror", (error) => complaints.push(String(error.error())));
      context.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      return { context, complaints, newPage: () => context.newPage() };
    },
    async close() {
      await browser.close();
      rmSync(home, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
