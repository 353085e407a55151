import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { modalClient } from "../../components/modal/client.ts";
import { appName, environmentName } from "../../components/modal/names.ts";
import type { ModalToken } from "../../components/modal/token.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import type { Finished } from "../../scripts/stack/stack.ts";
import { makeTestStack, type TestStack } from "../engine/test-stack.ts";
import { removeModalEnvironment } from "./remove-modal-environment.ts";

export interface JourneyOptions {
  readonly token: ModalToken;
  /** https URL of a small public repository; nothing is pushed there. */
  readonly repo: string;
  /** Called after each step. */
  readonly say: (line: string) => void;
  /** Aborts it. Everything it created is still removed. */
  readonly signal?: AbortSignal;
}

/** Enough for a schedule of every minute, plus what Modal and a sandbox need for a run. */
const patienceSeconds = 600;
const lookEverySeconds = 3;
const runs = z.array(
  z.object({ outcome: z.optional(z.string()), reason: z.optional(z.string()), cause: z.object({ kind: z.string() }) }),
);

const fleet = (repo: string, clock: string) => `
[defaults]
provider = "modal"
repo = "${repo}"
secrets = []
timezone = "UTC"
timeout_seconds = 300
agent_type = "command"

[changelings.clock]
agent_args = ["sh", "-c", "git log -1"]
${clock}

[changelings.hand]
agent_args = ["sh", "-c", "test -n \\"$SOME_SECRET\\" && exit 3"]
enabled = false
secrets = ["SOME_SECRET"]
`;

/**
 * A fleet's life on Modal, in its own environment: deployed, fired by its schedule and by hand, changed, drift detected
 * and repaired, destroyed. The environment is removed at the end, even after a failure.
 *
 * @throws an error that describes what was wrong, or could not be removed
 */
export async function modalJourney(options: JourneyOptions): Promise<void> {
  const { token, say } = options;
  const userId = randomUUID().replaceAll("-", "");
  const environment = environmentName({ prefix: "mngr-", userId });
  const test = makeTestStack({
    MODAL_TOKEN_ID: token.id,
    MODAL_TOKEN_SECRET: token.secret,
    MNGR_USER_ID: userId,
    MNGR_PREFIX: "mngr-",
    SOME_SECRET: randomUUID(),
  });
  say(`everything is in the Modal environment ${environment}`);
  try {
    await steps(test, environment, options);
  } finally {
    try {
      await test.remove();
    } finally {
      await removeModalEnvironment(environment, token, test.env);
      say(`the environment ${environment} is removed`);
    }
  }
}

async function steps(
  test: TestStack,
  environment: string,
  { token, repo, say, signal }: JourneyOptions,
): Promise<void> {
  const client = modalClient({ token, env: test.env });
  const declare = (clock: string) => test.declare(fleet(repo, clock));
  const up = async () => succeeded(await test.up());
  const stateOf = async (name: string) =>
    (await client.apps(environment)).find((each) => each.name === appName("dev", name))?.state;
  const step = async (name: string, work: () => Promise<void>) => {
    const start = Date.now();
    signal?.throwIfAborted();
    await work();
    say(`${name}: ${Math.round((Date.now() - start) / 1000)} s`);
  };

  await step("deployed and verified, and the next preview shows no change", async () => {
    declare('schedule = "* * * * *"\nallow_frequent = true');
    await up();
    deepStrictEqual([await stateOf("clock"), await stateOf("hand")], ["deployed", "deployed"]);
    deepStrictEqual(await test.preview(), {});
  });
  await step("fired by its schedule, and its agent finished", async () => {
    const run = await scheduledRun(test, "clock", signal);
    deepStrictEqual(run, { outcome: "no_changes", reason: "it made no commit", cause: { kind: "schedule" } });
  });
  await step("disabled", async () => {
    declare("enabled = false");
    deepStrictEqual(await test.preview(), { "command:local:Command clock-app": "update" });
    await up();
  });
  await step("run by hand, with its secret; its failure and its output are reported", async () => {
    const { code, stdout } = await changeling(test, ["run", "hand", "--wait", "--json"]);
    strictEqual(code, 1, stdout);
    match(stdout, /"its command ended with exit status 3"/);
    succeeded(await changeling(test, ["logs", "hand"]));
  });
  await step("repaired after somebody stopped it", async () => {
    await client.stopApp(appName("dev", "hand"), environment);
    deepStrictEqual(await test.preview(), { "command:local:Command hand-app": "update" });
    await up();
    strictEqual(await stateOf("hand"), "deployed");
    deepStrictEqual(await test.preview(), {});
  });
  await step("destroyed", async () => {
    succeeded(await test.pulumi(["destroy", "--yes", "--skip-preview", "--non-interactive"]));
    ok(!["deployed"].includes((await stateOf("clock")) ?? ""));
    ok(!["deployed"].includes((await stateOf("hand")) ?? ""));
    deepStrictEqual(await client.secrets(environment), []);
  });
}

/** The first run by its schedule, once it has ended. */
async function scheduledRun(test: TestStack, name: string, signal: AbortSignal | undefined) {
  for (const start = Date.now(); Date.now() - start < patienceSeconds * 1000; ) {
    const listed = runs.parse(JSON.parse(succeeded(await changeling(test, ["runs", name, "--json"]))));
    const ended = listed.findLast(({ outcome, cause }) => outcome !== undefined && cause.kind === "schedule");
    if (ended !== undefined) return { ...ended, cause: { kind: ended.cause.kind } };
    await sleep(lookEverySeconds * 1000, undefined, { signal });
  }
  throw new Error(`no run of ${name}'s schedule ended within ${patienceSeconds} s`);
}

/** Runs `changeling ARGS` on the journey's machine. */
function changeling({ env }: TestStack, args: readonly string[]): Promise<Finished> {
  const child = spawn(process.execPath, [join(projectFolder, "scripts", "changeling", "changeling.ts"), ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, ...said }));
  });
}

/** @returns its output @throws with its whole output if it failed */
function succeeded({ code, stdout, stderr }: Finished): string {
  if (code !== 0) throw new Error(`it failed:\n${stdout}${stderr}`);
  return stdout;
}
