import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { openUrl } from "../../../../scripts/changeling/terminal/open-url.ts";

const url = "http://localhost:1/login?token=once";

/** Makes this shell script the machine's only browser. */
function useBrowser(folder: string, browser: string): void {
  const program = join(folder, "browser");
  writeFileSync(program, `#!/bin/sh\n${browser}\n`, { mode: 0o755 });
  for (const name of ["DISPLAY", "WAYLAND_DISPLAY", "XDG_CURRENT_DESKTOP", "DESKTOP_SESSION"]) vi.stubEnv(name, "");
  vi.stubEnv("BROWSER", program);
}

describe.runIf(process.platform === "linux")("openUrl on a machine without a desktop", () => {
  const folder = mkdtempSync(join(tmpdir(), "open-url-"));
  afterEach(() => vi.unstubAllEnvs());
  afterAll(() => rmSync(folder, { recursive: true }));

  it("gives the browser a private file instead of the URL", async () => {
    useBrowser(folder, 'echo "$*" > "$(dirname "$0")/arguments"; cat "$1" > "$(dirname "$0")/page"');
    expect(await openUrl(folder, "page", url)).toBe(true);
    const file = join(folder, "open", "page.html");
    expect(readFileSync(join(folder, "arguments"), "utf8")).toBe(`${file}\n`);
    expect(readFileSync(join(folder, "page"), "utf8")).toContain(url);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("removes the file again if nothing opens it", async () => {
    useBrowser(folder, "exit 1");
    expect(await openUrl(folder, "page", url)).toBe(false);
    expect(existsSync(join(folder, "open", "page.html"))).toBe(false);
  });
});
