import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { ensureDevStack } from "../../scripts/stack/dev-stack.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { descendantsOf, startOf } from "../../scripts/stack/setup/processes.mjs";
import { stackEnvironment } from "../../scripts/stack/stack.ts";
import { type ModalStack, makeModalStack } from "../engine/modal-stack.ts";
import { filesHolding } from "../support/files-holding.ts";

const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
const quiet = ["--yes", "--skip-preview", "--non-interactive"];
const exported = z.object({
  deployment: z.object({
    pending_operations: z.optional(z.array(z.object({ resource: z.object({ urn: z.string() }) }))),
  }),
});

describe("an up on Modal that is killed", () => {
  // What is killed has no time to remove its temporary files; nothing secret is in them.
  const temporary = mkdtempSync(join(tmpdir(), "killed-"));
  let test: ModalStack;
  beforeAll(async () => {
    test = await makeModalStack({ TMPDIR: temporary });
    const command = 'agent_type = "command"\nagent_args = ["true"]';
    test.declareOnModal(`[changelings.ant]\n${command}\nsecrets = ["SOME_TOKEN"]`, `[changelings.bee]\n${command}`);
  });
  afterAll(async () => {
    await test?.remove();
    rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
  });

  const env = { SOME_TOKEN: "s3cret" };

  /** An up that is the leader of a process group, as a shell's job is. */
  function startUp(): { readonly pid: number; readonly ended: Promise<unknown> } {
    const settings = ["--stack", test.stack.name, "--config-file", test.stack.configFile ?? ""];
    const child = spawn("pulumi", ["up", ...quiet, ...settings], {
      cwd: projectFolder,
      env: { ...test.env, ...stackEnvironment(test.stack), ...env },
      stdio: "ignore",
      detached: true,
    });
    return { pid: child.pid ?? 0, ended: once(child, "exit") };
  }

  /** Kills it with its whole group, and waits for what it had started to end by itself. */
  async function kill(pid: number): Promise<void> {
    const below = descendantsOf(pid).map((each) => ({ each, start: startOf(each), command: commandOf(each) }));
    const left = () => below.filter(({ each, start }) => start !== null && startOf(each) === start);
    process.kill(-pid, "SIGKILL");
    // Pulumi's own language host looks for its engine every five minutes only.
    const isHost = ({ command }: { command: string }) => command.includes("pulumi-language-nodejs");
    for (let attempt = 0; attempt < 100 && !left().every(isHost); attempt += 1) await sleep(100);
    expect(left().flatMap((each) => (isHost(each) ? [] : each.command))).toEqual([]);
    for (const { each } of left()) process.kill(each, "SIGKILL");
  }

  /** As `npm start` and `changeling` do it before each up. */
  const clearLocks = () => ensureDevStack(test.home, test.env);

  it.each([
    ["the environment is made", "EnvironmentGetOrCreate"],
    ["its home is written", "VolumePutFiles"],
    ["a Secret is set", "SecretGetOrCreate"],
    ["an app is published", "AppPublish"],
    ["an app is verified", "FunctionMap"],
  ])("leaves no process behind: while %s", async (_, method) => {
    await test.emulator.control.setFaults([{ method }]);
    clearLocks();
    const { pid, ended } = startUp();
    await Promise.race([
      test.emulator.control.faultsCame(),
      ended.then(() => {
        throw new Error(`the up ended before its ${method}`);
      }),
    ]);
    await kill(pid);
    await ended;
    await test.emulator.control.setFaults([]);
  });

  it("leaves a lock that Pulumi reports, and that cancel or our own launcher clears; so does a second up meanwhile", async () => {
    const locked = await test.up(env);
    expect(locked.code).not.toBe(0);
    expect(locked.stderr).toContain("the stack is currently locked by 1 lock(s)");
    expect((await test.pulumi(["cancel", "--yes"])).code).toBe(0);
    await test.emulator.control.setFaults([{ method: "AppPublish" }]);
    const first = startUp();
    await test.emulator.control.faultsCame();
    clearLocks();
    const second = await test.up(env);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toContain("the stack is currently locked by 1 lock(s)");
    expect(second.stderr).toContain(`(pid ${first.pid})`);
    await test.emulator.control.setFaults([]);
    expect(await first.ended).toEqual([0, null]);
  });

  it("was repaired by that one: all is there, and nothing twice", async () => {
    expect(filesHolding("s3cret", temporary)).toEqual([]);
    expect(await test.preview(env)).toEqual({});
    const state = await test.emulator.control.state();
    expect(state.environments).toEqual(["main", test.environment()]);
    expect(state.volumes.map(({ name }) => name).sort()).toEqual(["changelings_dev", "changelings_dev_runs"]);
    expect(state.secrets.flatMap(({ name }) => name ?? []).sort()).toEqual(["changeling_dev_ant", "changelings_dev"]);
    const live = state.apps.filter((app) => app.state === "APP_STATE_DEPLOYED").map(({ name }) => name);
    expect(live.sort()).toEqual(["changeling_dev_ant", "changeling_dev_bee"]);
    expect((await test.emulator.control.schedules()).map(({ app }) => app).sort()).toEqual(live);
    expect(await pendingCreates()).not.toEqual([]);
    // A Command can't be read, so this asks nothing of Modal.
    const refresh = ["refresh", ...quiet, "--clear-pending-creates"];
    expect((await test.pulumi(refresh, env)).code).toBe(0);
    expect(await pendingCreates()).toEqual([]);
    expect(await test.preview(env)).toEqual({});
  });

  /** What Pulumi still warns of in each update, though it is done by now. */
  async function pendingCreates(): Promise<string[]> {
    const { stdout } = await test.pulumi(["stack", "export"]);
    const { deployment } = exported.parse(JSON.parse(stdout));
    return (deployment.pending_operations ?? []).map(({ resource }) => resource.urn);
  }
});
