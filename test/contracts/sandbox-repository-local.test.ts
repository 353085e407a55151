import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { localPaths } from "../../components/sandbox/local/paths.ts";
import { localProvider } from "../../components/sandbox/local/provider.ts";
import { type StartOptions, sandboxManager, type WarmSnapshot } from "../../components/sandbox/manager.ts";
import type { RunningSandbox } from "../../components/sandbox/running-sandbox.ts";
import { repoPath } from "../../components/sandbox/spec.ts";
import { Repository } from "../support/repository.ts";
import { sandboxSpec } from "../support/sandbox-spec.ts";
import { testRepository } from "./sandbox-repository.ts";

const sandboxes = mkdtempSync(join(tmpdir(), "sandboxes-"));
afterAll(() => rmSync(sandboxes, { recursive: true, force: true }));

testRepository({
  open: async (port) => ({
    provider: localProvider({ sandboxes }),
    spec: { provider: "local", allowDomains: [`127.0.0.1:${port}`] },
  }),
});

describe("a repository of this machine", () => {
  const repository = new Repository();
  const provider = localProvider({ sandboxes });
  const manager = sandboxManager({ installation: "test", provider: async () => provider });
  const spec = sandboxSpec({ owner: "local", repo: "repo", url: repository.folder, userName: 'Ada "A" Ω' });
  const past = { author: "Ada", at: "2026-01-01T00:00:00Z" };
  let warmSnapshot: WarmSnapshot;
  const start = (own: Partial<StartOptions> = {}) =>
    manager.start(spec, { sessionId: "path", secrets: {}, warmSnapshot, ...own });
  const git = async ({ sandboxId }: RunningSandbox, ...args: string[]) => {
    const sandbox = await provider.open(sandboxId);
    const end = await sandbox?.exec(["git", ...args], { timeoutSeconds: 60, cwd: repoPath(spec) });
    return end && end.stdout + end.stderr;
  };
  /** What a start must have made, whatever it began from. */
  const checkStarted = async (running: RunningSandbox, branch: string, tip: string) => {
    expect(await running.currentBranch()).toBe(branch);
    expect(await git(running, "symbolic-ref", "--short", "HEAD")).toBe(`${branch}\n`);
    expect(await git(running, "rev-parse", "HEAD", "refs/changelings/start")).toBe(`${tip}\n${tip}\n`);
    expect(await git(running, "status", "--porcelain")).toBe("");
    expect(await git(running, "config", "user.name")).toBe('Ada "A" Ω (Harvest)\n');
    expect(await git(running, "fetch", "origin")).toBe("");
    expect(await running.diff(1000)).toBe("");
    await running.terminate();
  };
  const commit = (text: string) => {
    repository.commit({ "README.md": text, "other.md": "other" }, past);
    return repository.git("rev-parse", "HEAD");
  };
  let main: string;
  let other: string;

  beforeAll(async () => {
    main = commit("one");
    repository.git("checkout", "--quiet", "-b", "other");
    other = commit("two");
    repository.git("tag", "v1");
    repository.git("checkout", "--quiet", "main");
    warmSnapshot = await manager.warm(spec, { secrets: {} });
  });
  afterAll(async () => {
    await provider.removeSnapshot(warmSnapshot.id);
    repository[Symbol.dispose]();
  });

  test("is cloned", async () => {
    await checkStarted(await start({ warmSnapshot: undefined }), "main", main);
  });

  test("of a warm snapshot with the same commits is used as it is, or on another branch", async () => {
    await checkStarted(await start(), "main", main);
    await checkStarted(await start({ branch: "other" }), "other", other);
  });

  test("of a warm snapshot is ready before it is needed, until the snapshot is removed", async () => {
    const spares = localPaths(sandboxes).spares;
    await expect.poll(() => readdirSync(spares), { timeout: 30_000 }).toEqual([warmSnapshot.id]);
    const copied = statSync(join(spares, warmSnapshot.id, "files")).ino;
    const running = await start();
    expect(statSync(join(localPaths(sandboxes).sandboxes, running.sandboxId, "files")).ino).toBe(copied);
    await checkStarted(running, "main", main);
    const other = await manager.warm(spec, { secrets: {} });
    await checkStarted(await start({ warmSnapshot: other }), "main", main);
    await provider.removeSnapshot(other.id);
    await expect.poll(() => readdirSync(spares), { timeout: 30_000 }).toEqual([warmSnapshot.id]);
  });

  test("of a warm snapshot without a mark of the start gets one", async () => {
    const running = await start();
    await git(running, "update-ref", "-d", "refs/changelings/start");
    const older = await running.snapshot();
    await running.terminate();
    await checkStarted(await start({ warmSnapshot: { ...warmSnapshot, id: older } }), "main", main);
    await provider.removeSnapshot(older);
  });

  test("is bundled for several people at once, and leaves no file", async () => {
    const running = await start();
    await git(running, "commit", "--quiet", "--allow-empty", "--message", "work");
    const bundles = await Promise.all(Array.from({ length: 6 }, () => running.bundle()));
    expect(new Set(bundles).size).toBe(1);
    expect(Buffer.from(bundles[0] ?? "", "base64").toString("latin1")).toMatch(/^# v\d git bundle\n/);
    const sandbox = await provider.open(running.sandboxId);
    expect((await sandbox?.exec(["ls", "-A", "/tmp"], { timeoutSeconds: 60 }))?.stdout).toBe("");
    await running.terminate();
  });

  test("is on no branch if what was asked for is a tag", async () => {
    const running = await start({ branch: "v1", warmSnapshot: undefined });
    expect(await running.currentBranch()).toBe("HEAD");
    await running.terminate();
  });

  test("that has changed is fetched into the warm snapshot's", async () => {
    const newer = commit("three");
    await checkStarted(await start(), "main", newer);
    await expect(start({ branch: "no-such-branch" })).rejects.toThrow(/^update: /);
  });
});
