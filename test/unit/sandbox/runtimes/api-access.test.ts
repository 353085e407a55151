import { describe, expect, test } from "vitest";
import type { ApiAccess, BrokeredApi, Sandbox } from "../../../../components/sandbox/provider.ts";
import { loadRuntime, runtimes, usesBroker } from "../../../../components/sandbox/runtimes/registry.ts";

/** How the runtimes ask a sandbox for access to their API. The broker itself, and the CLIs with it, have tests of their own. */

const secret = "sk-0123456789abcdef";
const url = "http://127.0.0.1:3128/model";
const context = { repo: "o/r", branch: "main", sessionId: "s", memoryPath: "/m" };

/** Executes one prompt, and its CLI fails. @returns the APIs that were asked for, and the environment of the CLI */
async function run(...args: Parameters<typeof execute>) {
  const { error, ...seen } = await execute(...args);
  expect(error).toContain("ended with code 1");
  return seen;
}

async function execute(
  runtime: string,
  env: Readonly<Record<string, string>>,
  options: Readonly<Record<string, unknown>>,
  { isBrokered = true } = {},
) {
  const apis: BrokeredApi[] = [];
  const ended: string[] = [];
  const seen: Readonly<Record<string, string>>[] = [];
  let isInitialized = false;
  const accessApi = (api: BrokeredApi): ApiAccess => {
    apis.push(api);
    const token = `token-${apis.length}`;
    return { url, token, end: () => void ended.push(token) };
  };
  const sandbox: Sandbox = {
    id: "sandbox",
    async exec(_argv, { env: given = {} }) {
      if (!isInitialized || Object.keys(given).length === 0) return { code: 0, stdout: "", stderr: "" };
      seen.push(given);
      expect(ended).toEqual([]);
      return { code: 1, stdout: "", stderr: "" };
    },
    ...(isBrokered ? { accessApi } : {}),
    snapshot: async () => "",
    terminate: async () => {},
  };
  const agent = (await loadRuntime(runtime))();
  const paths = { sessionId: "s", repoPath: "/workspace/r", memoryPath: "/m" };
  await agent.initialize({ ...paths, sandbox, mcpServers: {}, options, env });
  isInitialized = true;
  const error = await agent.execute("hello", context).then(() => undefined, String);
  return { apis, ended, environment: seen[0] ?? {}, error };
}

const claudeKey = { ANTHROPIC_API_KEY: secret };

describe("a sandbox with a broker", () => {
  test.each([
    [claudeKey, {}, "https://api.anthropic.com", ["x-api-key", secret]],
    [
      { CLAUDE_CODE_OAUTH_TOKEN: `${secret}\n` },
      {},
      "https://api.anthropic.com",
      ["authorization", `Bearer ${secret}`],
    ],
    [claudeKey, { base_url: "http://127.0.0.1:1" }, "http://127.0.0.1:1", ["x-api-key", secret]],
    [{ ...claudeKey, ANTHROPIC_BASE_URL: "https://gateway" }, {}, "https://gateway", ["x-api-key", secret]],
  ] as const)("gives Claude Code with %j and %j a token for %s", async (env, options, baseUrl, credential) => {
    const { apis, ended, environment } = await run("claude", env, options);
    expect(apis).toEqual([{ kind: "anthropic", baseUrl, credential, headers: {} }]);
    expect(ended).toEqual(["token-1"]);
    expect(environment).toMatchObject({ ANTHROPIC_BASE_URL: url, RUNTIME_KEY: "token-1" });
    expect(environment["_CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL"] === "1").toBe(baseUrl.includes("anthropic.com"));
    expect(JSON.stringify(environment)).not.toContain(secret);
  });

  test("adds the headers that are declared for Claude Code", async () => {
    const env = { ...claudeKey, ANTHROPIC_CUSTOM_HEADERS: "X-Team: blue: sky\n\nnothing\n X-Other:1 " };
    const { apis, environment } = await run("claude", env, {});
    expect(apis[0]?.headers).toEqual({ "x-team": "blue: sky", "x-other": "1" });
    // They may contain a gateway's key.
    expect(JSON.stringify(environment)).not.toContain("blue");
    const { environment: withoutBroker } = await run("claude", env, {}, { isBrokered: false });
    expect(withoutBroker["ANTHROPIC_CUSTOM_HEADERS"]).toBe(env.ANTHROPIC_CUSTOM_HEADERS);
  });

  test.each([
    [{}, "https://api.openai.com/v1"],
    [{ base_url: "http://127.0.0.1:1/v1" }, "http://127.0.0.1:1/v1"],
  ])("gives Codex with %j a token for %s", async (options, baseUrl) => {
    const { apis, ended, environment } = await run("codex", { OPENAI_API_KEY: secret }, options);
    expect(apis).toEqual([{ kind: "openai", baseUrl, credential: ["authorization", `Bearer ${secret}`] }]);
    expect(ended).toEqual(["token-1"]);
    expect(environment["RUNTIME_KEY"]).toBe("token-1");
    expect(environment["RUNTIME_CONFIG"]).toContain(`base_url = "${url}"`);
    expect(JSON.stringify(environment)).not.toContain(secret);
  });
});

// Otherwise a sandbox without allowed hosts would have no way to the API.
test.each(Object.keys(runtimes))("the registry knows whether %s uses the broker", async (runtime) => {
  const { apis } = await execute(runtime, { ...claudeKey, OPENAI_API_KEY: secret }, {});
  expect(apis.length > 0).toBe(usesBroker(runtime));
});

test("a person's own module needs no broker", () => {
  expect(usesBroker("/own/runtime.ts")).toBe(false);
});

test.each([
  ["claude", claudeKey],
  ["codex", { OPENAI_API_KEY: secret }],
])("without a broker, %s gets the key", async (runtime, env) => {
  const { environment } = await run(runtime, env, { base_url: "http://127.0.0.1:1" }, { isBrokered: false });
  expect(environment["RUNTIME_KEY"]).toBe(secret);
  expect(JSON.stringify(environment)).toContain("http://127.0.0.1:1");
});
