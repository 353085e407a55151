import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join, sep } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { cacheFolder, checkout } from "../../scripts/stack/setup/cache.mjs";
import { descendantsOf, startOf } from "../../scripts/stack/setup/processes.mjs";
import { which } from "../../scripts/stack/setup/toolchain.mjs";

/*
 * Setup as a person meets it: a fresh clone, an empty home, an empty cache, the servers of Pulumi out of reach.
 * npm, pip and mngr are the real ones (npm's and pip's own caches are the machine's); the Pulumi CLI is the real one
 * too, on PATH like a person's own, as its download and its build are tried with stand-ins in test/unit.
 */

const CLOSED = "http://127.0.0.1:1";
const folder = mkdtempSync(join(tmpdir(), "setup-"));
const home = join(folder, "home");
const cache = join(folder, "cache");
const bin = join(folder, "bin");
const clones = ["first", "second"].map((name) => join(folder, name)) as [string, string];

const environment: NodeJS.ProcessEnv = {
  HOME: home,
  CHANGELINGS_CACHE: cache,
  CHANGELINGS_PULUMI_DOWNLOAD_URL: CLOSED,
  CHANGELINGS_COMMAND_PLUGIN_URL: CLOSED,
  GIT_CONFIG_GLOBAL: "/dev/null",
  LANG: "C.UTF-8",
  PYENV_ROOT: process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"),
  npm_config_cache: spawnSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).stdout.trim(),
  npm_config_userconfig: join(homedir(), ".npmrc"),
  PIP_CACHE_DIR: process.env.PIP_CACHE_DIR ?? join(homedir(), ".cache/pip"),
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^(PIP_|UV_|SSL_CERT|NODE_EXTRA_CA|https?_proxy|no_proxy)/i.test(name),
    ),
  ),
};

beforeAll(() => {
  for (const made of [home, bin, ...clones]) mkdirSync(made);
  const listed = git(checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    .split("\0")
    .filter(Boolean);
  for (const clone of clones) {
    for (const file of listed) if (existsSync(join(checkout, file))) cpSync(join(checkout, file), join(clone, file));
    git(clone, "init", "--quiet");
    git(clone, "add", "--all");
    git(clone, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "-m", "all");
  }
  const pulumi = which("pulumi");
  if (pulumi === null) throw new Error("pulumi is not on PATH; these tests are started with: npm test");
  for (const name of ["pulumi", "pulumi-language-nodejs"]) symlinkSync(join(dirname(pulumi), name), join(bin, name));
  const outside = (process.env.PATH ?? "").split(delimiter).filter((path) => !path.startsWith(cacheFolder() + sep));
  environment.PATH = [bin, dirname(process.execPath), ...outside].join(delimiter);
});

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGTERM");
});
// Not `rmSync`: it would hold back the last result for minutes on a slow disk.
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Run {
  readonly child: ChildProcess;
  readonly end: Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** Resolves once stderr holds a text; rejects when the run ends before. */
  says(text: string): Promise<void>;
}

function launch(clone: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Run {
  const child = spawn(process.execPath, [join(clone, "scripts/stack/launch.mjs"), ...args], {
    cwd: clone,
    env: { ...environment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.push(child);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  const end = once(child, "close").then(([code]) => ({ code: typeof code === "number" ? code : null, ...output }));
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => void (output.stderr.includes(text) && resolve());
      child.stderr.on("data", look);
      look();
      end.then(() => reject(new Error(`ended without saying "${text}":\n${output.stderr}`)), reject);
    });
  return { child, end, says };
}

function git(cwd: string, ...args: string[]): string {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null" };
  const { status, stdout, stderr } = spawnSync("git", args, { cwd, env, encoding: "utf8" });
  if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
  return stdout;
}

const INSTALLING_MNGR = "Installing mngr and modal, once";

test("a Ctrl-C in the middle ends everything and leaves nothing half-made", { timeout: 300_000 }, async () => {
  const { child, end, says } = launch(clones[0], ["setup"]);
  await says(INSTALLING_MNGR);
  const processes = descendantsOf(child.pid ?? 0);
  expect(processes.length).toBeGreaterThan(0);
  child.kill("SIGINT");
  const { code, stderr } = await end;
  expect(code).toBe(130);
  expect(stderr).toMatch(/\nInterrupted\. What was complete is kept; run the same command to continue\.\n$/);
  await expect.poll(() => processes.filter((pid) => startOf(pid) !== null), { timeout: 5_000 }).toEqual([]);
  expect(readdirSync(join(cache, "locks"))).toEqual([]);
  expect(readdirSync(join(cache, "python"))).toEqual([]);
  expect(existsSync(join(cache, "toolchain"))).toBe(false);
});

test("two setups at once go on from there and share the work", { timeout: 600_000 }, async () => {
  const runs = [launch(clones[0], ["setup", "--json"]), launch(clones[0], ["setup", "--json"])];
  const [one, other] = await Promise.all(runs.map(({ end }) => end));
  expect([one?.code, other?.code], `${one?.stderr}\n${other?.stderr}`).toEqual([0, 0]);
  expect(one?.stdout).toBe(other?.stdout);
  const said = `${one?.stderr}${other?.stderr}`;
  expect(said.split(`${INSTALLING_MNGR}: done`)).toHaveLength(2);
  expect(said).toContain("Waiting for another setup on this cache (process ");
  expect(said.split("Installing the npm packages: done")).toHaveLength(2);
  const toolchain: unknown = JSON.parse(one?.stdout ?? "");
  expect(toolchain).toMatchObject({
    pulumi: join(bin, "pulumi"),
    pulumiHome: expect.stringMatching(new RegExp(`^${cache}/pulumi-home/`)),
    ownPulumiHome: join(home, ".pulumi"),
    mngr: expect.stringMatching(new RegExp(`^${cache}/python/.*/programs/mngr$`)),
  });
});

test("what it installed works, and no stand-in plugin is in another PULUMI_HOME", async () => {
  const plugins = await launch(clones[0], ["pulumi", "plugin", "ls", "--json"]).end;
  expect(JSON.parse(plugins.stdout)).toMatchObject([
    { name: "command", kind: "resource", version: "1.2.1" },
    { name: "docker", kind: "resource", version: "5.2.0" },
  ]);
  expect(existsSync(join(home, ".pulumi/plugins"))).toBe(false);
  const mngr = readdirSync(join(cache, "python")).map((name) => join(cache, "python", name, "programs/mngr"));
  expect(spawnSync(mngr[0] ?? "", ["--version"], { env: environment, encoding: "utf8" }).stdout).toBe("mngr 0.3.0\n");
});

const OFFLINE = { npm_config_offline: "true", PIP_INDEX_URL: CLOSED, GOPROXY: "off", UV_OFFLINE: "1" };

test("offline, a second time has nothing to do and changes nothing", async () => {
  const before = cacheState();
  expect(before.length).toBeGreaterThan(1_000);
  const pulumi = await launch(clones[0], ["pulumi", "version"], OFFLINE).end;
  expect(pulumi).toEqual({ code: 0, stdout: expect.stringMatching(/^v3\.\d+\.\d+\n$/), stderr: "" });
  expect(cacheState()).toEqual(before);
  const setup = await launch(clones[0], ["setup"], OFFLINE).end;
  expect(setup).toEqual({ code: 0, stdout: "", stderr: "Everything is set up.\n" });
});

test("a second clone needs only its npm packages, also offline", { timeout: 120_000 }, async () => {
  // Without npm's own cache too: they are copied from ours.
  const env = { ...OFFLINE, npm_config_cache: join(folder, "no-npm-cache") };
  const { code, stderr } = await launch(clones[1], ["setup"], env).end;
  // A slow machine says the same more than once, with the time.
  const said = stderr.split("\n").map((line) => line.replace(/ ….*$|: done in .*$/, ""));
  expect([...new Set(said)]).toEqual(["Installing the npm packages", "Everything is set up.", ""]);
  expect(code).toBe(0);
});

test("the git tree stays clean", () => {
  for (const clone of clones) expect(git(clone, "status", "--porcelain")).toBe("");
});

test("a missing tool is named with what installs it", async () => {
  const few = join(folder, "few");
  mkdirSync(few);
  for (const name of ["git", "rsync", "sh"]) symlinkSync(which(name) ?? "", join(few, name));
  const env = { PATH: few, PULUMI_HOME: join(folder, "other-pulumi-home") };
  const { code, stderr } = await launch(clones[0], ["pulumi", "version"], env).end;
  expect(stderr).toBe("Setup: tmux not found\nInstall tmux with your system's package manager.\n");
  expect(code).toBe(1);
});

test("Node comes from npm where the machine's is too old", { timeout: 120_000 }, async () => {
  const module = join(clones[0], "scripts/stack/setup/node.mjs");
  const code = `const { installNode } = await import(${JSON.stringify(module)}); await installNode();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    env: { ...environment, CHANGELINGS_CACHE: join(folder, "node-cache") },
    stdio: "ignore",
  });
  running.push(child);
  expect((await once(child, "exit"))[0]).toBe(0);
  const [version = ""] = readdirSync(join(folder, "node-cache/node"));
  const node = join(folder, "node-cache/node", version, "bin/node");
  expect(spawnSync(node, ["--version"], { encoding: "utf8" }).stdout).toBe(`v${version}\n`);
});

/** Every file of the cache with its time, but for what Node and Pulumi keep for themselves. */
function cacheState(): string[] {
  return readdirSync(cache, { recursive: true, encoding: "utf8" })
    .filter((path) => !/^node-compile-cache|^pulumi-home\/\w+\/logs/.test(path))
    .map((path) => `${path} ${statSync(join(cache, path), { throwIfNoEntry: false })?.mtimeMs}`);
}
