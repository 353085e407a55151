import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { modalClient } from "../../components/modal/client.ts";
import { homeVolumeName } from "../../components/modal/names.ts";
import { modalToken } from "../../components/modal/token.ts";
import type { Modal } from "../../components/modal/types.ts";
import { snapshotFile, snapshotLabel } from "../../components/source/snapshot.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { descendantsOf, signalQuietly } from "../../scripts/stack/setup/processes.mjs";
import { filesHolding } from "../support/files-holding.ts";
import { type GitServer, startGitServer } from "../support/git-server.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";
import { type Ended, Repository } from "../support/repository.ts";

const token = "gh-token-that-nobody-else-knows";
const environment = "mngr-u1";
const volume = homeVolumeName("dev");
let server: GitServer;
let emulator: Emulator;
let home: string;
let env: NodeJS.ProcessEnv;
let client: Modal;

beforeAll(async () => {
  server = await startGitServer({ token });
  const bare = server.create("app");
  using repository = new Repository();
  repository.commit({ "README.md": "hello\n" }, { author: "Ada", at: "2026-01-02T03:04:05Z" });
  repository.git("push", "--quiet", bare, "main");
  emulator = await startEmulator({ sandboxReaches: [server.port] });
  home = mkdtempSync(join(tmpdir(), "repo-snapshot-"));
  const TMPDIR = join(home, "tmp");
  mkdirSync(TMPDIR);
  const own = { HOME: home, TMPDIR, MNGR_HOST_DIR: join(home, ".mngr"), GIT_CONFIG_GLOBAL: "/dev/null" };
  env = { PATH: process.env["PATH"], LANG: "C.UTF-8", ...own, ...emulator.env };
  client = modalClient({ token: modalToken(env), env });
  await client.createEnvironment(environment);
  await client.createVolume(volume, environment);
});

afterAll(async () => {
  await emulator?.stop();
  await server?.stop();
  if (home !== undefined) rmSync(home, { recursive: true, force: true, maxRetries: 3 });
});

function declared(): NodeJS.ProcessEnv {
  return {
    ...{ STACK: "dev", MODAL_ENVIRONMENT: environment, MNGR_USER_ID: "u1", MNGR_PREFIX: "mngr-" },
    ...{ REPO: server.url("app"), BRANCH: "main", GITHUB_TOKEN: token },
  };
}

/** The Command's script, with the environment that the Command gives it. */
async function run(verb: "apply" | "remove", changes: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const script = join(projectFolder, "scripts", "command.ts");
  const options = { cwd: projectFolder, env: { ...env, ...declared(), ...changes }, encoding: "utf8" } as const;
  try {
    return { code: 0, ...(await promisify(execFile)("node", [script, "repo-snapshot", verb], options)) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

/** Begins to make a snapshot, and is killed with all that it started when its machine is there. */
async function beKilled(): Promise<void> {
  const script = join(projectFolder, "scripts", "command.ts");
  const child = spawn("node", [script, "repo-snapshot", "apply"], {
    cwd: projectFolder,
    env: { ...env, ...declared() },
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  const { pid } = child;
  if (pid === undefined) throw new Error("node was not started");
  for (const end = Date.now() + 90_000; !(await isAnyRunning("mngr_host_name")); await sleep(200)) {
    if (Date.now() > end || child.exitCode !== null) throw new Error("no placeholder was made");
  }
  for (const each of [pid, ...descendantsOf(pid)]) signalQuietly(each, "SIGKILL");
  await ended;
  expect(filesHolding(token, join(home, "tmp"))).toEqual([]);
  rmSync(join(home, "tmp"), { recursive: true });
  mkdirSync(join(home, "tmp"));
  expect(await isAnyRunning()).toBe(true);
}

/** @param tag that it has: mngr sets all right after it has made a sandbox */
async function isAnyRunning(tag?: string): Promise<boolean> {
  const { sandboxes } = await emulator.control.state();
  return sandboxes.some(({ status, tags }) => status === "RUNNING" && (tag === undefined || tag in tags));
}

/** Nothing runs on, and nothing is left on this machine. */
async function expectNothingLeft(): Promise<void> {
  expect(await isAnyRunning()).toBe(false);
  expect(readdirSync(join(home, "tmp"))).toEqual([]);
  expect(existsSync(join(home, ".mngr"))).toBe(false);
}

test("a snapshot of a branch is made once, renewed when it is too old, and removed", async () => {
  const declaration = { repo: server.url("app"), branch: "main", template: undefined, buildArgs: [] };
  const label = snapshotLabel(declaration);

  const missing = await run("apply", { BRANCH: "no-such-branch" });
  expect(missing.stderr).toBe(
    "error: no machine to snapshot could be created: git clone: fatal: Remote branch no-such-branch not found in upstream origin\n",
  );
  expect({ code: missing.code, stdout: missing.stdout }).toEqual({ code: 1, stdout: "" });
  expect(await client.files(volume, environment, "snapshots")).toEqual([]);
  await expectNothingLeft();

  await beKilled();
  const first = await run("apply", { SNAPSHOT_MAX_AGE: "1d" });
  expect(first.stderr).toBe("");
  const made = JSON.parse(first.stdout);
  expect(made).toEqual({ imageId: expect.stringMatching(/^im-/), createdAt: expect.any(String), label });
  const { imageId, createdAt } = made;
  const record = async () => JSON.parse((await client.readFile(volume, environment, snapshotFile(label))) ?? "");
  expect(await record()).toEqual({ imageId, createdAt, repo: declaration.repo, branch: "main" });
  const root = join(emulator.folder, "layers", imageId, "root");
  using inside = new Repository();
  const git = (...args: string[]) => inside.git("-C", join(root, "code/project"), "-c", "safe.directory=*", ...args);
  expect(git("log", "--format=%D %s")).toBe("HEAD -> main, origin/main, origin/HEAD Past");
  expect(git("remote", "get-url", "origin")).toBe(declaration.repo);
  expect(filesHolding(token, join(emulator.folder, "layers"))).toEqual([]);
  await expectNothingLeft();

  const again = await run("apply", { SNAPSHOT_MAX_AGE: "1d" });
  expect(again).toEqual(first);

  const renewed = await run("apply", { SNAPSHOT_MAX_AGE: "1s" });
  expect(renewed.stderr).toBe("");
  const next = JSON.parse(renewed.stdout);
  expect(next.label).toBe(label);
  expect(await record()).toMatchObject({ imageId: next.imageId, createdAt: next.createdAt });
  expect([await client.hasImage(imageId), await client.hasImage(next.imageId)]).toEqual([false, true]);
  await expectNothingLeft();

  // The image was deleted by somebody else, and so was the file by the next one.
  await client.deleteImage(next.imageId);
  expect(await run("remove")).toEqual({ code: 0, stdout: `${JSON.stringify({ removed: label })}\n`, stderr: "" });
  expect(await client.files(volume, environment, "snapshots")).toEqual([]);
  expect((await run("remove")).code).toBe(0);
  expect((await emulator.control.state()).sandboxes.length).toBe(4);
}, 360_000);

test("settings of the person's mngr that a machine is made by are taken along", async () => {
  const profile = join(home, ".mngr", "profiles", "p1");
  mkdirSync(profile, { recursive: true });
  try {
    writeFileSync(join(home, ".mngr", "config.toml"), 'profile = "p1"\n');
    writeFileSync(join(profile, "user_id"), "somebody-else");
    writeFileSync(
      join(profile, "settings.toml"),
      '[create_templates.warm]\nextra_provision_command = ["echo made >/root/by-template"]\n',
    );
    const { stdout, stderr } = await run("apply", { TEMPLATE: "warm" });
    expect(stderr).toBe("");
    const { imageId } = JSON.parse(stdout);
    expect(existsSync(join(emulator.folder, "layers", imageId, "root", "root", "by-template"))).toBe(true);
    expect(readdirSync(profile).sort()).toEqual(["settings.toml", "user_id"]);
  } finally {
    rmSync(join(home, ".mngr"), { recursive: true });
  }
});
