import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { readRuns } from "../../components/cron/local/records.ts";
import { schedulerState } from "../../components/cron/local/state.ts";
import { stopForwardingServer } from "../../components/web/forwarding/supervise.ts";
import { installationOf } from "../../scripts/stack/stack.ts";
import { freePort } from "../support/free-port.ts";
import { WebAgentRepo } from "../support/web-agent-repo.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

const exported = z.looseObject({
  deployment: z.looseObject({
    secrets_providers: z.optional(z.unknown()),
    resources: z.array(
      z.looseObject({
        urn: z.string(),
        type: z.string(),
        inputs: z.optional(z.looseObject({ environment: z.optional(z.record(z.string(), z.unknown())) })),
      }),
    ),
  }),
});

/** Recorded from a stack that release 0.1 (c6bf044) made of the fleet below, with placeholders for what differs. */
const recorded = readFileSync(join(import.meta.dirname, "../fixtures/states/local-0.1.json"), "utf8");
const env = { ALPHA_KEY: "alpha-value", ELENA_KEY: "elena-value" };
const commands = ["alpha-job", "alpha-secrets", "elena-agent", "elena-secrets", "forwarding", "scheduler"];

describe("a stack of the release before the commands had one path", () => {
  let test: TestStack;
  let source: WebAgentRepo;
  let current: z.infer<typeof exported>;
  let former: z.infer<typeof exported>;
  beforeAll(async () => {
    test = makeTestStack({ MNGR__PROVIDERS__MODAL__IS_ENABLED: "false" });
    source = new WebAgentRepo();
    const port = await freePort();
    test.declare(`
timezone = "Europe/Berlin"
[forwarding]
port = ${port}
[changelings.alpha]
agent_type = "command"
agent_args = ["true"]
secrets = ["ALPHA_KEY"]
[changelings.elena]
kind = "web"
source = "file://${source.folder}"
start_timeout_seconds = 45
secrets = ["ELENA_KEY"]
`);
    const { code, stdout, stderr } = await test.up(env);
    expect(code, stdout + stderr).toBe(0);
    const state = (await test.pulumi(["stack", "export", "--show-secrets"])).stdout;
    current = exported.parse(JSON.parse(state));
    const found = (pattern: RegExp) => {
      const [, value] = pattern.exec(state) ?? [];
      if (value === undefined) throw new Error(`the state holds no ${pattern}`);
      return value;
    };
    const values: Record<string, string> = {
      SOURCE: `file://${source.folder}`,
      COMMIT: source.git("rev-parse", "HEAD"),
      INSTALLATION: installationOf(test.stack),
      AGENT: found(/(agent-[0-9a-f]{32})/),
      SERVER: found(/"(http:\/\/127\.0\.0\.1:\d+\/)"/),
      PORT: String(port),
      HOST: found(/host\\+":\\+"([^\\"]+)/),
      MACHINE: found(/machine\\+":\\+"([^\\"]+)/),
    };
    former = exported.parse(JSON.parse(recorded.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => String(values[name]))));
    former.deployment.secrets_providers = current.deployment.secrets_providers;
  });
  afterAll(async () => {
    await stopForwardingServer(installationOf(test.stack), test.home);
    await test.remove({ destroy: existsSync(test.paths.root) });
    source[Symbol.dispose]();
  });

  const environments = ({ deployment }: z.infer<typeof exported>) =>
    Object.fromEntries(
      deployment.resources.flatMap(({ urn, inputs }) => {
        if (inputs?.environment === undefined) return [];
        const { DRIFT: _, ...environment } = inputs.environment;
        return [[urn, environment]];
      }),
    );
  const becomeFormer = async () => {
    const file = join(test.home, "state.json");
    writeFileSync(file, JSON.stringify(former), { mode: 0o600 });
    const { code, stdout, stderr } = await test.pulumi(["stack", "import", "--file", file]);
    expect(code, stdout + stderr).toBe(0);
  };
  const agents = () => {
    const args = ["list", "--provider", "local", "--format", "json", "--headless"];
    const listed = execFileSync("mngr", args, { env: test.env, encoding: "utf8", stdio: "pipe" });
    return z
      .object({ agents: z.array(z.object({ id: z.string(), pid: z.nullable(z.number()) })) })
      .parse(JSON.parse(listed)).agents;
  };

  it("has the same resources and the same environments", () => {
    const urns = ({ deployment }: z.infer<typeof exported>) => deployment.resources.map(({ urn }) => urn).sort();
    expect(urns(former)).toEqual(urns(current));
    expect(environments(former)).toEqual(environments(current));
  });

  it("is taken over by updates alone: no agent restarts, and nothing fires", async () => {
    const [before] = agents();
    const job = readFileSync(join(test.paths.jobs, "alpha.json"), "utf8");
    await becomeFormer();
    expect((await test.change(env)).ops).toEqual(
      Object.fromEntries(commands.map((name) => [`command:local:Command ${name}`, "update"])),
    );
    expect(agents()).toEqual([before]);
    expect(readFileSync(join(test.paths.jobs, "alpha.json"), "utf8")).toBe(job);
    expect(readRuns(test.paths)).toEqual([]);
    expect(schedulerState(test.paths)).toMatchObject({ alive: true, current: true });
    expect(await test.preview(env)).toEqual({});
  });

  it("is destroyed as it was", async () => {
    await becomeFormer();
    const { code, stdout, stderr } = await test.pulumi(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
    expect(code, stdout + stderr).toBe(0);
    expect(agents()).toEqual([]);
    expect(existsSync(test.paths.jobs)).toBe(false);
    expect(schedulerState(test.paths).alive).toBe(false);
  });
});
