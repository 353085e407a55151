import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeSecrets } from "../../components/secrets/installed.ts";
import { setUpSandboxTools } from "../../scripts/stack/setup/sandbox-tools.ts";
import { startFakeAnthropic } from "../support/fake-model-api/anthropic.ts";
import type { FakeModelApi } from "../support/fake-model-api/server.ts";
import { SchedulerLab } from "../support/scheduler-lab.ts";

/** Real mngr, the real Claude Code in its terminal, and a home in which it never ran. */
const lab = new SchedulerLab("real");
const at = lab.installation();
let api: FakeModelApi;

beforeAll(async () => {
  api = await startFakeAnthropic();
  const { parts } = await setUpSandboxTools(["claude"]);
  mkdirSync(join(lab.home, "bin"), { recursive: true });
  symlinkSync(join(`${parts.claude}`, "node_modules/.bin/claude"), join(lab.home, "bin", "claude"));
  await at.start();
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
});

const work = { command: "echo work > mark && git add . && git commit --quiet --message Mark", description: "Commit" };

it.concurrent.each([
  {
    name: "works",
    script: [`@@tool Bash ${JSON.stringify(work)}`, "@@fail 401"],
    ended: {
      outcome: "succeeded",
      commits: [{ subject: "Mark" }],
      warnings: [expect.stringMatching(/^it was broken off: the model's API rejects its key \(/)],
    },
  },
  {
    name: "overloaded",
    script: ["@@fail 529"],
    ended: { outcome: "failed", reason: expect.stringMatching(/^the model's API failed: .*529/), warnings: [] },
  },
])("Claude Code takes its key without a question, and its API's error is the run's: $name", async (given) => {
  at.install(
    at.spec(given.name, {
      settleSeconds: 5,
      agent: {
        type: "claude",
        mngrType: "claude",
        isConversational: true,
        message: given.script.join("\n"),
        settings: ["agent_types.claude.auto_allow_permissions=true"],
        // Its default, "auto", asks a model about each tool call.
        args: ["--permission-mode", "default"],
        env: {
          ANTHROPIC_BASE_URL: api.url,
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
          CLAUDE_CODE_MAX_RETRIES: "0",
        },
      },
    }),
  );
  writeSecrets(at.paths, given.name, { ANTHROPIC_API_KEY: "sk-never-seen-before-0123456789" });
  expect(await at.run(given.name)).toMatchObject(given.ended);
});
