import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { currentBackend, installationId } from "../../components/installation.ts";

describe("installationId", () => {
  const of = { backend: "file:///home/me/state", project: "changelings", stack: "dev" };

  it("is short, and the same for the same stack", () => {
    expect(installationId(of)).toMatch(/^[0-9a-f]{12}$/);
    expect(installationId({ ...of, backend: "file:///home/me/state/" })).toBe(installationId(of));
  });

  it.each([
    { ...of, stack: "prod" },
    { ...of, backend: "https://api.pulumi.com" },
    { ...of, project: "others" },
  ])("differs for %o", (other) => {
    expect(installationId(other)).not.toBe(installationId(of));
  });
});

describe("currentBackend", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "backend-"));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  function login(folder: string, current: string): void {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "credentials.json"), JSON.stringify({ current }));
  }

  it("takes the environment first, then the login, then Pulumi Cloud", () => {
    expect(currentBackend({}, home)).toBe("https://api.pulumi.com");
    login(join(home, ".pulumi"), "file://~");
    expect(currentBackend({}, home)).toBe("file://~");
    expect(currentBackend({ PULUMI_BACKEND_URL: "s3://state" }, home)).toBe("s3://state");
  });

  it("looks for the login where the CLI does", () => {
    login(join(home, "one"), "file:///one");
    login(join(home, "two"), "file:///two");
    expect(currentBackend({ PULUMI_HOME: join(home, "one") }, home)).toBe("file:///one");
    const both = { PULUMI_HOME: join(home, "one"), PULUMI_CREDENTIALS_PATH: join(home, "two") };
    expect(currentBackend(both, home)).toBe("file:///two");
  });
});
