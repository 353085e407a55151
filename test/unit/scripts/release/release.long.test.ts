import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { released, unreleasedChanges } from "../../../../scripts/dev/release/notes.ts";
import { ReleaseError, release } from "../../../../scripts/dev/release/release.ts";

const project = join(import.meta.dirname, "../../../..");
const changelog = "# Changelog\n\n## Unreleased\n\n### Added\n- A thing.\n\n## 0.1.0 (2026-01-01)\n\n- The first.\n";
let folder: string;

function git(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync("git", args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}

function commit(subject: string): void {
  git("add", "-A");
  git("commit", "-qm", subject, "--allow-empty");
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "release-"));
  vi.stubEnv("GIT_CONFIG_GLOBAL", "/dev/null");
  git("init", "-q", "-b", "main");
  git("config", "user.name", "Test");
  git("config", "user.email", "test@example.com");
  mkdirSync(join(folder, "scripts"));
  cpSync(join(project, "scripts/bump_version.sh"), join(folder, "scripts/bump_version.sh"));
  const names = { verify: "true", coverage: "test ! -e failing" };
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "x", version: "0.1.3", private: true, scripts: names }),
  );
  writeFileSync(
    join(folder, "package-lock.json"),
    JSON.stringify({
      name: "x",
      version: "0.1.3",
      lockfileVersion: 3,
      packages: { "": { name: "x", version: "0.1.3" } },
    }),
  );
  writeFileSync(join(folder, "VERSION"), "0.1.3\n");
  writeFileSync(join(folder, "CHANGELOG.md"), changelog);
  commit("Begin");
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const options = () => ({ folder, dryRun: false, print: () => undefined, today: "2026-02-03" });

test("a micro release is a commit and an annotated tag, and nothing else", async () => {
  await release("micro", options());
  expect(git("log", "--format=%s", "-2").split("\n")).toEqual(["Release 0.1.4", "Begin"]);
  expect(git("cat-file", "-t", "v0.1.4")).toBe("tag");
  expect(git("status", "--porcelain")).toBe("");
  expect(readFileSync(join(folder, "VERSION"), "utf8")).toBe("0.1.4\n");
  expect(JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))).toMatchObject({ version: "0.1.4" });
  expect(readFileSync(join(folder, "CHANGELOG.md"), "utf8")).toContain(
    "## Unreleased\n\n## 0.1.4 (2026-02-03)\n\n### Added\n- A thing.\n",
  );
  const summary = readFileSync(join(folder, "RELEASE_SUMMARY.md"), "utf8");
  expect(summary).toContain("A micro release of 2026-02-03, tagged `v0.1.4`.");
  expect(summary).toContain("- A thing.");
  expect(summary).toContain("## Commits\n\n- Begin\n");
});

test("the next one has only the commits since then", async () => {
  await release("micro", options());
  commit("Add more");
  await release("baseline", options());
  expect(git("tag").split("\n")).toEqual(["baseline-v0.2.0", "v0.1.4"]);
  expect(readFileSync(join(folder, "RELEASE_SUMMARY.md"), "utf8")).toMatch(/## Commits\n\n- Add more\n$/);
});

test("a baseline needs the coverage, and a failure changes nothing", async () => {
  writeFileSync(join(folder, "failing"), "");
  commit("Fail");
  await expect(release("baseline", options())).rejects.toThrow("npm run coverage failed: nothing was released.");
  expect(git("log", "-1", "--format=%s")).toBe("Fail");
  expect(git("tag")).toBe("");
  expect(existsSync(join(folder, "RELEASE_SUMMARY.md"))).toBe(false);
});

test("a release that can't be tagged leaves no commit", async () => {
  const hook = join(folder, ".git/hooks/reference-transaction");
  mkdirSync(join(folder, ".git/hooks"), { recursive: true });
  writeFileSync(hook, `#!/bin/sh\n[ "$1" = prepared ] && grep -q refs/tags && exit 1\nexit 0\n`);
  chmodSync(hook, 0o755);
  await expect(release("micro", options())).rejects.toThrow(ReleaseError);
  rmSync(hook);
  expect(git("log", "-1", "--format=%s")).toBe("Begin");
  expect(git("status", "--porcelain")).toBe("");
  expect(readFileSync(join(folder, "VERSION"), "utf8")).toBe("0.1.3\n");
});

test("needs a clean tree, and something to release", async () => {
  writeFileSync(join(folder, "new"), "");
  await expect(release("micro", options())).rejects.toThrow("The working tree is not clean");
  rmSync(join(folder, "new"));
  await release("micro", options());
  await expect(release("micro", options())).rejects.toThrow("no commit since");
});

test("a dry run says what would happen", async () => {
  const lines: string[] = [];
  await release("baseline", { ...options(), dryRun: true, print: (line) => lines.push(line) });
  expect(lines).toEqual([
    "would run: npm run verify, npm run coverage",
    "would commit version 0.2.0 with 1 commits, and tag it baseline-v0.2.0",
  ]);
  expect(git("log", "-1", "--format=%s")).toBe("Begin");
});

test("a changelog without unreleased changes gets its headings", () => {
  expect(released("# Changelog\n", "1.0.0", "2026-01-01")).toBe(
    "# Changelog\n\n## Unreleased\n\n## 1.0.0 (2026-01-01)\n",
  );
  expect(unreleasedChanges("# Changelog\n")).toBe("");
});

test("VERSION is the version in package.json", () => {
  const { version } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as { version: string };
  expect(readFileSync(join(project, "VERSION"), "utf8")).toBe(`${version}\n`);
});
