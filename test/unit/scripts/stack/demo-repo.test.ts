import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeDemoRepo } from "../../../../scripts/stack/demo-repo.ts";

const template = fileURLToPath(new URL("../../../../changelings/demo-repo", import.meta.url));
let home: string;
let dir: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "demo-repo-"));
  dir = join(home, "demo-repo");
  vi.stubEnv("GIT_CONFIG_GLOBAL", "/dev/null");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

const git = (...args: string[]) => execFileSync("git", ["-C", dir, ...args], { encoding: "utf8" }).trim();
const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => !/(^|\/)(\.git|__pycache__)(\/|$)/.test(path) && statSync(join(folder, path)).isFile())
    .sort();

describe("the demo repository", () => {
  it("takes commits where a person signs them and has hooks, also one that was there before", () => {
    const hooks = join(home, "hooks");
    mkdirSync(hooks);
    writeFileSync(join(hooks, "pre-commit"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    const config = join(home, "gitconfig");
    writeFileSync(config, `[commit]\n gpgsign = true\n[gpg]\n program = /bin/false\n[core]\n hooksPath = ${hooks}\n`);
    makeDemoRepo(dir);
    for (const key of ["commit.gpgsign", "tag.gpgsign", "core.hooksPath"]) git("config", "--unset", key);
    makeDemoRepo(dir);
    vi.stubEnv("GIT_CONFIG_GLOBAL", config);
    git("commit", "--quiet", "--allow-empty", "--message", "An agent's");
    expect(git("log", "-1", "--format=%s %an")).toBe("An agent's Demo");
  });

  it("has the same history everywhere, by several people over the years", () => {
    vi.stubEnv("TZ", "Asia/Tokyo");
    vi.stubEnv("GIT_AUTHOR_DATE", "2000-01-01T00:00:00Z");
    vi.stubEnv("GIT_DIR", "/nowhere");
    vi.stubEnv("GIT_DEFAULT_HASH", "sha256");
    makeDemoRepo(dir);
    vi.unstubAllEnvs();
    expect(git("log", "--format=%h %an %as %s", "--abbrev=12")).toBe(`\
4b3dd3f09f51 Priya Raman 2026-03-30 Import the old app's export, describe the file
54a62cab1005 Jonas Lind 2025-06-08 Take off the list what was used up
491994fa5a62 Priya Raman 2025-01-15 Back up the list
8c6caf867781 Jonas Lind 2024-09-20 Tell what has expired, test dates and store
12dfa44f1292 Mira Okafor 2024-02-11 Keep a list of what is in the pantry`);
    expect(git("branch", "--format=%(refname:short)")).toBe("main");
    expect(git("fsck", "--strict")).toBe("");
  });

  it("ends in the template's files, clean, with an identity of its own", () => {
    makeDemoRepo(dir);
    expect(filesOf(dir)).toEqual(filesOf(template));
    for (const file of filesOf(template)) {
      expect(readFileSync(join(dir, file), "utf8")).toBe(readFileSync(join(template, file), "utf8"));
    }
    expect(git("status", "--porcelain")).toBe("");
    expect(git("ls-files", "--stage", "scripts/backup.sh")).toMatch(/^100755 /);
    expect(git("config", "--local", "user.name")).toBe("Demo");
  });

  it("has something to do for the agents, of all ages and authors", () => {
    makeDemoRepo(dir);
    expect(git("grep", "-c", "-w", "-E", "FIXME|TODO|HACK|XXX").split("\n").length).toBeGreaterThanOrEqual(8);
    const authors = git("grep", "-l", "-w", "-E", "FIXME|TODO")
      .split("\n")
      .flatMap((file) => git("blame", "--line-porcelain", file).match(/^author .*/gm) ?? []);
    expect([...new Set(authors)].sort()).toEqual(["author Jonas Lind", "author Mira Okafor", "author Priya Raman"]);
  });

  it("stays as it is once it is there, with what agents made of it", () => {
    makeDemoRepo(dir);
    git("switch", "--quiet", "--create", "changelings/todo-ledger-1");
    writeFileSync(join(dir, "new.txt"), "an agent's\n");
    git("add", "new.txt");
    git("commit", "--quiet", "--message", "An agent's");
    const head = git("rev-parse", "HEAD");
    makeDemoRepo(dir);
    expect(git("rev-parse", "HEAD")).toBe(head);
    expect(git("status", "--porcelain")).toBe("");
  });

  it("is made whole after an interrupted start, or in an empty folder", () => {
    mkdirSync(join(`${dir}.making`, ".git"), { recursive: true });
    writeFileSync(join(`${dir}.making`, "half"), "");
    mkdirSync(dir);
    makeDemoRepo(dir);
    expect(filesOf(dir)).toEqual(filesOf(template));
    expect(existsSync(`${dir}.making`)).toBe(false);
  });

  it("replaces nothing of anybody's", () => {
    mkdirSync(dir);
    writeFileSync(join(dir, "mine"), "");
    expect(() => makeDemoRepo(dir)).toThrow(
      `${dir} is needed for the demo repository, but contains other files; move them away`,
    );
    expect(readdirSync(dir)).toEqual(["mine"]);
  });

  it("says what git said when it fails", () => {
    writeFileSync(join(home, "file"), "");
    vi.stubEnv("PATH", "");
    expect(() => makeDemoRepo(dir)).toThrow(/^the demo repository could not be created: .*git/);
  });
});
