import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readDeployed } from "../../components/sandbox/sessions/cloudflare/deployed.ts";
import { readServiceFile, sessionsFolder } from "../../components/sandbox/sessions/folder.ts";
import { stopSessions } from "../../components/sandbox/sessions/supervise.ts";
import { devFolder } from "../../scripts/stack/dev-stack.ts";
import { cacheFolder } from "../../scripts/stack/setup/cache.mjs";
import { installationOf } from "../../scripts/stack/stack.ts";
import { CloudflareStandIn } from "../support/cloudflare-stand-in.ts";
import { filesHolding } from "../support/files-holding.ts";
import { Repository } from "../support/repository.ts";
import { runScript } from "../support/run-script.ts";
import { savedState } from "./saved-state.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

let cloudflare: CloudflareStandIn;
let stack: TestStack;
const repository = new Repository();
beforeAll(async () => {
  cloudflare = await CloudflareStandIn.start();
  // Its home has no wrangler, and npm would install it there.
  stack = makeTestStack({ ...cloudflare.env, CHANGELINGS_CACHE: cacheFolder() });
  repository.commit({ "README.md": "one\n" }, { author: "A", at: "2026-11-01T10:00:00Z" });
});
afterAll(async () => {
  // Also when a test failed before its destroy.
  await stack.remove({ destroy: existsSync(folder()) });
  await stopSessions(installationOf(stack.stack), stack.home);
  await cloudflare[Symbol.asyncDispose]();
  repository[Symbol.dispose]();
});

const changeling = () => `[changelings.example]
kind = "sandbox"
repo = "${repository.folder}"
isolation = "none"
`;
const declare = (more = "") =>
  stack.declare(
    `[sandboxes]\nsessions = "cloudflare"\naccount_id = "${cloudflare.accountId}"\nworker = "ada-sessions"\n${more}${changeling()}`,
  );
const up = async (env: NodeJS.ProcessEnv = {}) => {
  const ended = await stack.up(env);
  expect(ended.code, ended.stdout + ended.stderr).toBe(0);
  return ended.stdout + ended.stderr;
};
const folder = () => sessionsFolder(stack.paths);
const sandbox = async (...args: string[]) => {
  const ended = await runScript("changeling", ["sandbox", ...args], stack.env);
  expect(ended.code, ended.output).toBe(0);
  return ended.stdout;
};

/** The arguments of all processes of this machine that were seen meanwhile. */
async function whileWatchingArguments<Result>(work: () => Promise<Result>): Promise<[Result, string]> {
  const seen = new Set<string>();
  const timer = setInterval(() => {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
      } catch {
        // It has ended.
      }
    }
  }, 50);
  try {
    const result = await work();
    const text = [...seen].join("\n");
    // It saw the program at all.
    expect(text).toContain("wrangler.js\0deploy");
    return [result, text];
  } finally {
    clearInterval(timer);
  }
}

it("fails before any change without a token, and says where to get one", async () => {
  declare();
  const { code, stdout, stderr } = await stack.up({ CLOUDFLARE_API_TOKEN: "" });
  expect(code).not.toBe(0);
  expect(stdout + stderr).toContain('CLOUDFLARE_API_TOKEN is not set; create one with the template "Edit Cloudflare');
  expect(cloudflare.requests).toEqual([]);
  // Nothing else was touched either.
  expect(savedState(join(devFolder(stack.home), "backend"), "dev").resources.map(({ type }) => type)).not.toContain(
    "command:local:Command",
  );
});

it("deploys the worker with the sessions, and a session works through it", async () => {
  declare();
  const [output, seen] = await whileWatchingArguments(() => up());
  expect([...cloudflare.scripts.keys()]).toEqual(["ada-sessions"]);
  const script = cloudflare.scripts.get("ada-sessions");
  expect(script?.classes).toEqual(["Session", "Directory", "RunnerLink"]);
  expect(readServiceFile(folder())).toEqual({
    version: 1,
    url: cloudflare.cloud.url,
    token: readDeployed(folder())?.ownerToken,
  });
  const doctor = async () => {
    const { stdout } = await runScript("changeling", ["doctor", "--json"], stack.env);
    const checks: { name: string; status: string; detail: string }[] = JSON.parse(stdout);
    return checks.find(({ name }) => name === "session service");
  };
  expect(await doctor()).toMatchObject({
    status: "ok",
    detail: expect.stringMatching(`, linked to ${cloudflare.cloud.url}, 0 sessions$`),
  });
  await sandbox("start", "example");
  expect(await sandbox("send", "example", "List files")).toContain("Received prompt: List files");
  expect(await sandbox("stop", "example")).toBeDefined();

  expect(await stack.preview()).toEqual({});
  // The tokens of the owner and the runner are here alone, and the account's is nowhere.
  const { ownerToken = "", runnerToken = "" } = readDeployed(folder()) ?? {};
  const state = await stack.pulumi(["stack", "export", "--show-secrets"]);
  for (const secret of [ownerToken, runnerToken, cloudflare.token]) {
    expect(secret.length).toBeGreaterThan(20);
    expect(state.stdout.includes(secret)).toBe(false);
    expect(output.includes(secret)).toBe(false);
    expect(seen.includes(secret)).toBe(false);
    expect(JSON.stringify(script?.metadata).includes(secret)).toBe(false);
  }
  expect(filesHolding(cloudflare.token, stack.home)).toEqual([]);
  const files = (secret: string) =>
    filesHolding(secret, stack.home)
      .map((path) => path.split("/").at(-1))
      .sort();
  expect(files(ownerToken)).toEqual(["cloudflare.json", "service.json"]);
  expect(files(runnerToken)).toEqual(["cloudflare.json"]);
});

it("repairs a worker that was edited or deleted on Cloudflare", async () => {
  await cloudflare.edit("ada-sessions", (code) => `${code}\n// edited\n`);
  const repair = { "command:local:Command sandbox-sessions-worker": "update" };
  expect((await stack.change()).ops).toEqual(repair);
  expect([...(cloudflare.scripts.get("ada-sessions")?.modules.values() ?? [])].join()).not.toContain("// edited");
  await cloudflare.delete("ada-sessions");
  expect((await stack.change()).ops).toEqual(repair);
  expect([...cloudflare.scripts.keys()]).toEqual(["ada-sessions"]);
  expect(await stack.preview()).toEqual({});
});

it("does not touch a worker that is not this stack's", async () => {
  const before = cloudflare.scripts.get("ada-sessions");
  if (before === undefined) throw new Error("it is not there");
  const bindings = before.metadata.bindings.filter(({ name }) => name !== "CHANGELINGS_INSTALLATION");
  cloudflare.scripts.set("shop", { ...before, metadata: { ...before.metadata, bindings } });
  stack.declare(
    `[sandboxes]\nsessions = "cloudflare"\naccount_id = "${cloudflare.accountId}"\nworker = "shop"\n${changeling()}`,
  );
  const { code, stdout, stderr } = await stack.up();
  expect(code).not.toBe(0);
  expect(stdout + stderr).toContain(
    "there is a worker shop in this account already, which is not of a session service",
  );
  expect(cloudflare.scripts.get("shop")?.metadata.bindings).toEqual(bindings);
  cloudflare.scripts.delete("shop");
});

it("leaves the worker out of reach when the sessions move back, and deletes it with destroy_data", async () => {
  stack.declare(changeling());
  await up();
  expect(cloudflare.scripts.get("ada-sessions")?.isReachable).toBe(false);
  expect(readServiceFile(folder())?.workerd).toBeDefined();
  expect(existsSync(join(folder(), "cloudflare.json"))).toBe(false);
  await sandbox("start", "example");
  await sandbox("stop", "example");

  declare("destroy_data = true\n");
  await up();
  expect(cloudflare.scripts.get("ada-sessions")?.isReachable).toBe(true);
  const { code, stdout, stderr } = await stack.pulumi(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
  expect(code, stdout + stderr).toBe(0);
  expect([...cloudflare.scripts.keys()]).toEqual([]);
  expect(existsSync(folder())).toBe(false);
});
