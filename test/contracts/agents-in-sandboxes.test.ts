import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { localProvider } from "../../components/sandbox/local/provider.ts";
import { sandboxManager } from "../../components/sandbox/manager.ts";
import type { RuntimeEvent } from "../../components/sandbox/runtimes/runtime.ts";
import { startFakeAnthropic } from "../support/fake-model-api/anthropic.ts";
import { startFakeResponses } from "../support/fake-model-api/responses.ts";
import type { FakeModelApi } from "../support/fake-model-api/server.ts";
import { apiKey, only } from "../support/runtime-lab.ts";
import { sandboxSpec } from "../support/sandbox-spec.ts";

/** The real CLIs in real sandboxes of this machine, which reach only the fake of their API. */
const agents = {
  claude: {
    start: startFakeAnthropic,
    base: "",
    key: "ANTHROPIC_API_KEY",
    shell: (command: string) => `@@tool Bash ${JSON.stringify({ command })}`,
    memory: "@@tool mcp__memory__read_graph {}",
  },
  codex: {
    start: startFakeResponses,
    base: "/v1",
    key: "OPENAI_API_KEY",
    shell: (command: string) => `@@tool exec_command ${JSON.stringify({ cmd: command })}`,
    memory: "@@tool mcp__memory/read_graph {}",
  },
} as const;

describe.each(["claude", "codex"] as const)("%s in a sandbox of this machine", (runtime) => {
  const agent = agents[runtime];
  let folder: string;
  let url: string;
  let api: FakeModelApi;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "agents-"));
    url = join(folder, "site");
    api = await agent.start();
    execFileSync("git", ["init", "-q", "-b", "main", url]);
    writeFileSync(join(url, "README.md"), "# Site\n");
    const git = ["-C", url, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    execFileSync("git", [...git, "add", "-A"]);
    execFileSync("git", [...git, "commit", "-q", "-m", "Begin"]);
  });
  afterAll(async () => {
    await api[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it("edits and commits, uses the memory, is cancelled, and continues after a restart of the service", async () => {
    const spec = sandboxSpec({
      ...{ owner: "local", url, runtime, secrets: [agent.key] },
      runtimeConfig: { base_url: `${api.url}${agent.base}` },
      allowDomains: [new URL(api.url).host],
    });
    const manager = () =>
      sandboxManager({
        installation: "test",
        provider: async () => localProvider({ sandboxes: join(folder, "sandboxes") }),
      });
    const session = { sessionId: `s-${runtime}`, secrets: { [agent.key]: apiKey } };
    const events: RuntimeEvent[] = [];
    const onEvent = (event: RuntimeEvent) => events.push(event);

    const sandbox = await manager().start(spec, session);
    const work = [
      agent.shell("echo work > work.txt && git add -A && git commit -qm 'Add work' && git log -1 --format=%an,%s"),
      agent.shell("env; id -u; pwd"),
      agent.memory,
      "@@say I added it.",
    ];
    expect(await sandbox.prompt(`my name is Ada\n${work.join("\n")}`, { onEvent })).toBe("I added it.");
    const [commit, environment, memory] = only(events, "tool_result");
    expect(commit?.output).toContain("Ada (Harvest),Add work");
    expect(environment?.output).toContain("/workspace/site");
    expect(environment?.output).not.toContain(apiKey);
    expect(memory).toMatchObject({ isError: false, output: expect.stringContaining("entities") });
    expect(await sandbox.diff(10_000)).toContain("+work");
    expect(JSON.stringify(events)).not.toContain(apiKey);

    const controller = new AbortController();
    const asked = api.prompts().length;
    const hanging = sandbox.prompt("@@hang", { signal: controller.signal });
    void api.asked(asked + 1).then(() => controller.abort());
    await expect(hanging).rejects.toMatchObject({ code: "cancelled" });

    const state = only(events, "state").at(-1)?.state;
    const reopened = await manager().reopen(spec, { ...session, sandboxId: sandbox.sandboxId, state });
    expect(await reopened.prompt("what is my name?", { onEvent })).toBe("You said: what is my name?");
    expect(JSON.stringify(api.prompts().at(-1)?.body)).toContain("my name is Ada");
    expect(JSON.stringify(api.prompts().at(-1)?.body)).toContain("Safe-Carry-Forward");
    expect(only(events, "notice")).toEqual([]);
    await reopened.terminate();
  });
});
