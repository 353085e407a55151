import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { slugOf } from "../../../components/git/repo-name.ts";
import { ensureTarball, type Tarball, tarballPath } from "../../../components/source/tarball.ts";
import { projectFolder } from "../../../scripts/stack/project.ts";
import { Repository } from "../../support/repository.ts";

const past = { author: "Ada", at: "2026-01-02T03:04:05Z" };

/** A repository with one commit, and a cache. */
class Bench implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "tarball-"));
  readonly cacheFolder = join(this.folder, "cache");
  readonly repository = new Repository();
  /** Reports each tarball that is made. */
  readonly log = join(this.folder, "log");
  readonly environment: NodeJS.ProcessEnv;

  constructor() {
    this.repository.commit({ a: "1" }, past);
    const bin = join(this.folder, "bin");
    mkdirSync(bin);
    const gzip = execFileSync("sh", ["-c", "command -v gzip"], { encoding: "utf8" }).trim();
    writeFileSync(join(bin, "gzip"), `#!/bin/sh\necho "$*" >>'${this.log}'\nexec '${gzip}' "$@"\n`);
    chmodSync(join(bin, "gzip"), 0o755);
    this.environment = { ...this.repository.env, PATH: [bin, process.env["PATH"]].join(delimiter) };
  }

  tarball(changes: Partial<Tarball> = {}): Tarball {
    return {
      repo: this.repository.folder,
      commit: this.repository.git("rev-parse", "HEAD"),
      branch: "main",
      origin: "https://example.com/me/app.git",
      historyDepth: 1,
      ...changes,
    };
  }

  ensure(changes: Partial<Tarball> = {}): Promise<string> {
    return ensureTarball(this.tarball(changes), this);
  }

  get made(): number {
    return existsSync(this.log) ? (readFileSync(this.log, "utf8").match(/^-n -1$/gm)?.length ?? 0) : 0;
  }

  [Symbol.dispose](): void {
    this.repository[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

describe("the tarball of a commit", () => {
  test("is made once, also when several want it at once, and known by all that it is made of", async () => {
    using bench = new Bench();
    const [first, ...others] = await Promise.all(Array.from({ length: 4 }, () => bench.ensure()));
    expect(new Set(others)).toEqual(new Set([first]));
    expect(bench.made).toBe(1);
    expect(await bench.ensure()).toBe(first);
    expect(bench.made).toBe(1);
    expect(first).toBe(tarballPath(bench.tarball(), bench));
    const { commit } = bench.tarball();
    expect(basename(first ?? "")).toMatch(new RegExp(`^${commit.slice(0, 12)}-[0-9a-f]{12}\\.tar\\.gz$`));
    for (const change of [{ branch: "next" }, { historyDepth: 2 }, { origin: "https://example.com/you/app" }]) {
      expect(tarballPath(bench.tarball(change), bench)).not.toBe(first);
    }
    // Where it was taken from says nothing of what is in it.
    expect(tarballPath(bench.tarball({ repo: "/elsewhere" }), bench)).toBe(first);
  });

  test("is what was asked for, and private", async () => {
    using bench = new Bench();
    const path = await bench.ensure({ branch: "next" });
    expect([statSync(path).mode & 0o777, statSync(dirname(path)).mode & 0o777]).toEqual([0o600, 0o700]);
    using unpacked = new Repository();
    rmSync(join(unpacked.folder, ".git"), { recursive: true });
    unpacked.run("tar", ["-xzf", path]);
    expect(unpacked.git("branch", "--show-current")).toBe("next");
    expect(unpacked.git("remote", "get-url", "origin")).toBe("https://example.com/me/app.git");
    expect(unpacked.git("rev-parse", "HEAD")).toBe(bench.repository.git("rev-parse", "HEAD"));
  });

  test("that can't be made is reported, and leaves nothing", async () => {
    using bench = new Bench();
    const commit = "a".repeat(40);
    await expect(bench.ensure({ commit })).rejects.toThrow(
      `no tarball of ${bench.repository.folder} at aaaaaaaaaaaa (exit status 1): error: ${bench.repository.folder} has no commit ${commit}`,
    );
    expect(readdirSync(dirname(tarballPath(bench.tarball(), bench)))).toEqual(["lock"]);
    expect(existsSync(await bench.ensure())).toBe(true);
  });

  test("is kept among the ten newest of its repository; what is in use stays new", async () => {
    using bench = new Bench();
    const paths: string[] = [];
    for (let index = 0; index < 10; index++) {
      const path = await bench.ensure({ branch: `b${index}` });
      utimesSync(path, index, index);
      paths.push(path);
    }
    const other = await bench.ensure({ origin: "https://example.com/you/app" });
    utimesSync(other, 0, 0);
    const folder = dirname(paths[0] ?? "");
    writeFileSync(join(folder, "cut-off.tar.gz.4711"), "");
    await bench.ensure({ branch: "b0" });
    const last = await bench.ensure({ branch: "last" });
    const left = readdirSync(folder).filter((name) => name !== "lock");
    expect(left.sort()).toEqual(
      [...paths.filter((_, index) => index !== 1), last].map((path) => basename(path)).sort(),
    );
    expect(existsSync(other)).toBe(true);
  });
});

test("its Command creates it, reports it in one line, and removes it", async () => {
  using bench = new Bench();
  const { repo, commit, branch, origin } = bench.tarball();
  const env = {
    ...bench.environment,
    HOME: bench.folder,
    ...{ REPO: "~/repo", COMMIT: commit, BRANCH: branch, ORIGIN: origin, HISTORY_DEPTH: "1", LAST_COMMIT: "Past" },
  };
  execFileSync("ln", ["-s", repo, join(bench.folder, "repo")]);
  const run = async (verb: string) => {
    const script = join(projectFolder, "scripts", "command.ts");
    const { stdout, stderr } = await promisify(execFile)("node", [script, "repo-tarball", verb], {
      cwd: projectFolder,
      env,
    });
    expect(stderr).toBe("");
    expect(stdout.endsWith("\n") && stdout.trimEnd().includes("\n")).toBe(false);
    return JSON.parse(stdout);
  };
  const path = tarballPath(bench.tarball(), { cacheFolder: join(bench.folder, ".cache", "changelings") });
  const created = await run("apply");
  const bytes = readFileSync(path);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  expect(created).toEqual({ tarball: basename(path), bytes: bytes.length, sha256 });
  expect(await run("apply")).toEqual(created);
  expect(bench.made).toBe(1);
  expect(await run("remove")).toEqual({ removed: basename(path) });
  expect(existsSync(path)).toBe(false);
  expect(await run("remove")).toEqual({ removed: basename(path) });
});

test.each([
  ["git@github.com:me/My App.git", "my-app"],
  ["https://example.com/me/app/", "app"],
  ["/src/Über.Repo", "ber-repo"],
  ["/src/日本", "repo"],
  [`/src/${"long-".repeat(20)}`, "long-long-long-long-long-long"],
])("the short name of %s is %s", (repo, slug) => {
  expect(slugOf(repo)).toBe(slug);
});
