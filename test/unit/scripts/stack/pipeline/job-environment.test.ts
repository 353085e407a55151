import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { changelingOf } from "../../../../../components/cron/from-program.ts";
import type { Fleet } from "../../../../../components/kinds.ts";
import { webOf } from "../../../../../components/web/from-program.ts";
import { lockOf } from "../../../../../scripts/stack/pipeline/dead-jobs.ts";
import { hasKey, pipelineStack, withoutValues } from "../../../../../scripts/stack/pipeline/job-environment.ts";
import { refusals } from "../../../../../scripts/stack/pipeline/refusals.ts";
import { withRemedy } from "../../../../../scripts/stack/pipeline/remedies.ts";
import { usualSettings } from "../../../../support/fleet-sandbox.ts";

describe("pipelineStack", () => {
  it.each([
    ["home", {}, "home"],
    ["home", { CHANGELINGS_STACK: "work", CI: "true" }, "home"],
    [undefined, { CHANGELINGS_STACK: "me/changelings/work", CI: "true" }, "me/changelings/work"],
    [undefined, {}, "dev"],
  ])("%j in %j is %s", (option, env, name) => expect(pipelineStack(option, env).name).toBe(name));

  it("is never guessed in a pipeline", () => {
    expect(() => pipelineStack(undefined, { CI: "true" })).toThrow("no stack is named: set CHANGELINGS_STACK");
  });
});

it.each([
  [{}, false],
  [{ PULUMI_BACKEND_URL: "s3://bucket", GITHUB_TOKEN: "x", MODAL_TOKEN_SECRET: "x" }, false],
  [{ PULUMI_ACCESS_TOKEN: "x" }, true],
  [{ PULUMI_CONFIG_PASSPHRASE: "x" }, true],
  [{ AWS_WEB_IDENTITY_TOKEN_FILE: "/x" }, true],
])("%j opens a stack: %s", (env, opens) => expect(hasKey(env)).toBe(opens));

describe("refusals", () => {
  const repo = "https://example.com/app.git";
  const fleet = (provider: "local" | "modal"): Fleet => ({
    file: "/fleet.toml",
    mngrProfile: undefined,
    settings: usualSettings,
    changelings: [
      changelingOf("alpha", {
        provider,
        repo,
        timezone: "UTC",
        agentType: "command",
        agentArgs: ["true"],
        secrets: [],
      }),
      changelingOf("beta", { provider, repo, timezone: "UTC", secrets: ["GITHUB_TOKEN"] }),
    ],
  });

  it("apply only in pipelines", () => {
    expect(refusals(fleet("local"), { GITHUB_TOKEN: "ghs_abc" })).toEqual([]);
    expect(refusals(fleet("modal"), { CI: "true", GITHUB_TOKEN: "ghp_abc" })).toEqual([]);
  });

  it("name every changeling that would run on the job's own machine", () => {
    const [found, ...rest] = refusals(fleet("local"), { CI: "true" });
    expect(found).toMatch(/^alpha, beta: provider = "local" means .*\n {4}→ write provider = "modal" in \/fleet\.toml/);
    expect(rest).toEqual([]);
  });

  it("name a web changeling that would run in a container of the job's own machine", () => {
    const alone = { ...fleet("modal"), changelings: [webOf("chat", { provider: "docker", secrets: [] })] };
    const [found, ...rest] = refusals(alone, { CI: "true" });
    expect(found).toMatch(/^chat: provider = "docker" means .*\n {4}→ write provider = "modal" in \/fleet\.toml/);
    expect(rest).toEqual([]);
  });

  it("take no token that ends with the job", () => {
    const [found, ...rest] = refusals(fleet("modal"), { CI: "true", GITHUB_TOKEN: "ghs_abc" });
    expect(found).toMatch(/^GITHUB_TOKEN is a job's own token/);
    expect(rest).toEqual([]);
  });
});

describe("lockOf", () => {
  const failed = (stderr: string) => ({ code: 1, stdout: "", stderr });

  it("reads who holds a stack from what Pulumi says", () => {
    const lock = (name: string, by: string) =>
      `  s3://b/.pulumi/locks/organization/changelings/home/${name}.json: created by ${by}`;
    const stderr = [
      "error: the stack is currently locked by 2 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.",
      lock("a", "runner@fv-az123-456 (pid 2345) at 2026-11-21T17:18:18Z"),
      lock("b", `root@${hostname()} (pid 1) at 2026-11-21T17:18:19Z`),
    ].join("\n");
    expect(lockOf(failed(stderr))).toEqual([
      { who: "runner", host: "fv-az123-456", pid: 2345, since: "2026-11-21T17:18:18Z" },
      { who: "root", host: hostname(), pid: 1, since: "2026-11-21T17:18:19Z" },
    ]);
  });

  it("knows a conflict in Pulumi Cloud, which names nobody", () => {
    expect(lockOf(failed("error: [409] Conflict: Another update is currently in progress."))).toEqual([]);
  });

  it("takes no other failure for a lock", () => {
    expect(lockOf(failed("error: update failed"))).toBeUndefined();
    expect(lockOf({ code: 0, stdout: "", stderr: "the stack is currently locked by 1 lock" })).toBeUndefined();
  });
});

it("a comment shows no value of the job's secrets", () => {
  const env = {
    MODAL_TOKEN_SECRET: "as-hush-hush",
    MY_KEY: "short",
    HOME: "/home/runner",
    A_TOKEN_FILE: "/run/token-file",
  };
  expect(withoutValues("as-hush-hush, short, /home/runner, /run/token-file", env)).toBe(
    "***, short, /home/runner, /run/token-file",
  );
});

it("the passwords of URLs are redacted too", () => {
  const env = {
    PULUMI_BACKEND_URL: "postgres://me:hush%2Dhush@db.example.com/state",
    HTTPS_PROXY: "http://me:abc@proxy:3128",
    PULUMI_HOME: "/home/me:abc@x",
  };
  const text = "dial postgres://me:hush%2Dhush@db.example.com: hush-hush, by http://me:abc@proxy:3128, abc";
  expect(withoutValues(text, env)).toBe("dial postgres://me:***@db.example.com: ***, by http://me***proxy:3128, abc");
});

it("what Pulumi says of a stack that can't be opened has its remedy below it", () => {
  expect(withRemedy("no stack named 'home' found")).toBe(
    "no stack named 'home' found\n    → create it once, from your machine, with the same backend: npm run pulumi -- stack init NAME",
  );
  expect(withRemedy("something else")).toBe("something else");
});
