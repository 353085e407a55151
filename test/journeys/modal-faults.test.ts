import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { nextFires } from "../../components/cron/schedule.ts";
import { diagnosticsOf } from "../engine/engine-text.ts";
import { type ModalStack, makeModalStack } from "../engine/modal-stack.ts";
import { sampleArguments } from "../support/argument-sampler.ts";
import { filesHolding } from "../support/files-holding.ts";

/** Each of its lines is odd, and found nowhere by chance. */
const odd = `n33dle "one" 'two' $HOME \${HOME} \`id\` \\\nn33dle-too {x} %s #\n`;
const env = { ODD: odd };
const ends = z.tuple([z.object({ outcome: z.string(), reason: z.string() })]);
const hourOf = (hour: string) => new Date(`${hour}:00:00Z`);

const fleet = [
  `[changelings.ant]
   agent_type = "command"
   agent_args = ["sh", "-c", 'printf %s "$ODD" | cksum >sum && git add sum && git commit -qm Sum']
   secrets = ["ODD"]`,
  `[changelings.bad]\nagent_type = "command"\nagent_args = ["sh", "-c", "exit 3"]\nverify = "none"`,
  `[changelings.slow]\nagent_type = "command"\nagent_args = ["sleep", "1000"]\nverify = "none"\ntimeout_seconds = 60`,
  `[changelings.dusk]
   agent_type = "command"
   agent_args = ["true"]
   verify = "none"
   schedule = "30 2 * * *"
   timezone = "Europe/Berlin"`,
];

describe("faults of changelings on Modal", () => {
  const temporary = mkdtempSync(join(tmpdir(), "faults-"));
  let test: ModalStack;
  beforeAll(async () => {
    test = await makeModalStack({ TMPDIR: temporary });
    test.declareOnModal(...fleet);
  });
  afterAll(async () => {
    await test?.remove();
    rmSync(temporary, { recursive: true, force: true });
  });

  const fire = (name: string) =>
    test.emulator.control.fire(`changeling_dev_${name}`, "fire", { environment: test.environment() });
  /** As `changeling runs` prints it. */
  async function endOf(name: string): Promise<unknown> {
    const { code, stdout, stderr } = await test.changeling(["runs", name, "--json"]);
    if (code !== 0) throw new Error(stderr);
    const [{ outcome, reason }] = ends.parse(JSON.parse(stdout));
    return { outcome, reason };
  }

  it("stops an up whose secrets are too large, before anything is touched", async () => {
    const { code, stdout } = await test.up({ ODD: "x".repeat(70_000) });
    expect(code).not.toBe(0);
    expect(diagnosticsOf(stdout)).toEqual({
      "changelings-dev": [
        "error: the secrets of ant can't be set: ODD has 70000 characters, and 32768 is Modal's limit for a value; store a " +
          "large file elsewhere, and pass a secret that gives access to it",
      ],
    });
    expect((await test.emulator.control.state()).environments).toEqual(["main"]);
  });

  it("deploys the others when one can't be, says why, and makes up for it next time", async () => {
    const argv = sampleArguments();
    const message = "the workspace has too many apps";
    await test.emulator.control.setFaults([{ method: "AppPublish", status: "RESOURCE_EXHAUSTED", message }]);
    const { code, stdout } = await test.up(env);
    expect(code).not.toBe(0);
    const errors = Object.values(diagnosticsOf(stdout)).flatMap((lines) =>
      lines.filter((line) => /^error: /.test(line)),
    );
    expect(errors.filter((line) => line.endsWith(` failed: ${message}`))).toHaveLength(1);
    expect(await test.emulator.control.schedules()).toHaveLength(3);
    const next = await test.up(env);
    expect(next.code, next.stdout).toBe(0);
    expect(next.stdout).toContain("+ 1 created");
    expect(await test.emulator.control.schedules()).toHaveLength(4);
    expect(argv.stop().filter((line) => line.includes("n33dle"))).toEqual([]);
  });

  it("gives an agent its secrets as they are, and nobody else", async () => {
    // Its time passes while the others' runs are looked at.
    await fire("slow");
    const argv = sampleArguments();
    const call = await fire("ant");
    expect(call.exception).toBeNull();
    const [, id = ""] = /^(\S+): started/m.exec(call.output) ?? [];
    await test.ended(id);
    const seen = argv.stop();
    expect(seen.some((line) => line.includes(`mngr create ${id}`))).toBe(true);
    expect(seen.filter((line) => line.includes("n33dle"))).toEqual([]);
    const sum = execFileSync("cksum", { input: odd, encoding: "utf8" });
    expect(test.inRepo("show", `changelings/${id}:sum`)).toBe(sum.trim());
    const { stdout } = await test.pulumi(["stack", "export"]);
    const state = JSON.stringify(await test.emulator.control.state());
    expect(`${stdout}${state}${call.output}${test.emulator.log()}`).not.toContain("n33dle");
    expect(filesHolding("n33dle", test.home, temporary)).toEqual([]);
    // Nor does it stay on the volume that mngr gives each host.
    expect(filesHolding("n33dle", test.emulator.folder)).toEqual([]);
    expect(filesHolding(test.emulator.env.MODAL_TOKEN_SECRET, test.home, temporary, test.emulator.folder)).toEqual([]);
  });

  it("records a run that fails, and one that gets no sandbox", async () => {
    await fire("bad");
    const limit = "the workspace is over its limit";
    await test.emulator.control.setFaults([
      { method: "SandboxCreateV2", status: "RESOURCE_EXHAUSTED", message: limit, times: 100 },
      { method: "SandboxCreate", status: "RESOURCE_EXHAUSTED", message: limit, times: 100 },
    ]);
    await fire("dusk");
    await test.emulator.control.setFaults([]);
    expect(await endOf("dusk")).toEqual({ outcome: "failed", reason: expect.stringContaining(limit) });
    expect(await test.endedRuns("bad")).toMatchObject([
      { outcome: "failed", reason: "its command ended with exit status 3" },
    ]);
    expect(await endOf("slow")).toEqual({
      outcome: "timed_out",
      reason: "it did not finish within its 60 s, and was stopped",
    });
  });

  /**
   * What Modal itself does on such a day nobody says; the emulator follows cron(8). `changeling list` and `plan` show
   * what the local scheduler does: the left-out time is made up for at once, the repeated one counts once.
   */
  it("comes due on the days of a clock change as the emulator takes it, which is not how it is foretold", async () => {
    const { control } = test.emulator;
    const due = async (from: string, to: string) =>
      (await control.advance(hourOf(from), hourOf(to), { wait: false }))
        .filter(({ app }) => app === "changeling_dev_dusk")
        .map(({ scheduled_for: at }) => new Date(at ?? "").toISOString());
    const foretold = (from: string) =>
      nextFires("30 2 * * *", "Europe/Berlin", hourOf(from), 2).map((at) => at.toISOString());
    expect(await due("2026-03-28T23", "2026-03-29T02")).toEqual([]);
    expect(foretold("2026-03-28T23")).toEqual(["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"]);
    expect(await due("2026-10-24T23", "2026-10-25T02")).toEqual([
      "2026-10-25T00:30:00.000Z",
      "2026-10-25T01:30:00.000Z",
    ]);
    expect(foretold("2026-10-24T23")).toEqual(["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]);
  });
});
