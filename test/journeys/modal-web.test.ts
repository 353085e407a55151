import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modalClient } from "../../components/modal/client.ts";
import { modalToken } from "../../components/modal/token.ts";
import { readRecord, type WebRecord } from "../../components/web/agent/record.ts";
import { hostNameTag, mngrOnModal } from "../../components/web/modal/mngr-on-modal.ts";
import { makeTestStack, type TestStack } from "../engine/test-stack.ts";
import { freePort } from "../support/free-port.ts";
import { GreeterRepo } from "../support/greeter.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";
import { visitor } from "../support/visitor.ts";
import { driftOf } from "../support/web-stack.ts";

describe.skipIf(process.getuid?.() !== 0)("a web changeling on Modal", { timeout: 600_000 }, () => {
  let emulator: Emulator;
  let test: TestStack;
  let source: GreeterRepo;
  let port: number;

  beforeAll(async () => {
    emulator = await startEmulator();
    test = makeTestStack({ ...emulator.env, SOME_SECRET: "s3cret" });
    source = new GreeterRepo();
    port = await freePort();
    const forwarding = `[forwarding]\nport = ${port}\n`;
    const greeter = `[changelings.greeter]\nkind = "web"\nprovider = "modal"\nsource = "${source.folder}"\n`;
    test.declare(`${forwarding}\n${greeter}secrets = ["SOME_SECRET"]\nstart_timeout_seconds = 120\n`);
  }, 120_000);
  afterAll(async () => {
    await test?.remove();
    source?.[Symbol.dispose]();
    await emulator?.stop();
  }, 300_000);

  it("is deployed, forwarded to, updated, started again, and destroyed", async () => {
    await up();
    const { agentId, data, repo, modal } = record();
    const open = await visitor(test, "greeter", port);
    expect(await open()).toBe("Hello; started 1 times; has its secret");

    await inMachine("echo own >own.txt; git add own.txt; git commit --quiet --message=own; echo draft >draft.txt");
    source.change({ greeting: "Good day" });
    await up();
    expect(record().agentId).toBe(agentId);
    expect(await open()).toBe("Good day; started 2 times; has its secret");
    expect(
      await inMachine("git log --first-parent --format=%s; git branch --show-current; cat own.txt draft.txt"),
    ).toBe("Merge what is declared\nown\nPast\nmain\nown\ndraft");

    await endMachine();
    expect(await driftOf(test, "greeter-agent-modal")).toEqual(["its machine has ended"]);
    // Whoever opens its page starts it.
    expect(await open()).toBe("Good day; started 3 times; has its secret");
    expect(await inMachine("git log -1 --format=%s; cat draft.txt")).toBe("Merge what is declared\ndraft");
    expect(await driftOf(test, "greeter-agent-modal")).toEqual([]);

    await pulumi("destroy");
    const { environments, volumes, sandboxes, secrets } = await emulator.control.state();
    expect(environments).toEqual(["main", modal?.environment]);
    expect(sandboxes.filter(({ status }) => status === "RUNNING")).toEqual([]);
    expect(secrets).toEqual([]);
    const shared = ["changelings_dev", "changelings_dev_runs", "mngr-modal-state"];
    expect(volumes.map(({ name }) => name).sort()).toEqual([...shared, data, repo].sort());
    expect(readRecord(test.paths, "greeter")).toBeUndefined();
  });

  const up = () => pulumi("up");

  async function pulumi(what: "up" | "destroy"): Promise<void> {
    const { code, stdout, stderr } = await test.pulumi([what, "--yes", "--skip-preview", "--non-interactive"]);
    expect(code, stdout + stderr).toBe(0);
    // Whatever it says, it says no secret.
    expect(stdout + stderr).not.toContain("s3cret");
  }

  function record(): WebRecord {
    const found = readRecord(test.paths, "greeter");
    if (found === undefined) throw new Error("greeter has no record");
    return found;
  }

  async function inMachine(command: string): Promise<string> {
    const { hostAddress = "", mngrHostDir: hostDir = "" } = record();
    const token = modalToken(test.env);
    const mngr = mngrOnModal({ hostDir, mngrProfile: undefined, token, env: test.env });
    const { results } = await mngr.exec([hostAddress], command);
    expect(results).toMatchObject([{ success: true }]);
    return results[0]?.stdout.trim() ?? "";
  }

  /** As Modal does after a day, or when it has an accident. */
  async function endMachine(): Promise<void> {
    const { modal: { environment = "" } = {}, host = "" } = record();
    const client = modalClient({ token: modalToken(test.env), env: test.env });
    expect(await client.endSandboxes(environment, { [hostNameTag]: host })).toHaveLength(1);
  }
});
