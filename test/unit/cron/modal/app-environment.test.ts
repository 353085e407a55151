import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changelingOf } from "../../../../components/cron/from-program.ts";
import { appEnvironment, environmentOfApp, specOfApp } from "../../../../components/cron/modal/app-environment.ts";
import { programFingerprint } from "../../../../components/cron/modal/program-files.ts";
import { appSpec, tagOf } from "../../../../components/cron/modal/spec.ts";

const context = {
  stack: "home",
  stock: undefined,
  anchors: { project: "/home/me/fleet", home: "/home/me" },
  secrets: ["NPM_TOKEN", "GITHUB_TOKEN"],
  program: "0123456789ab",
  tip: undefined,
  snapshotLabel: undefined,
};
/** What the stack's home adds, once it is there. */
const home = { MODAL_ENVIRONMENT: "mngr-1f", MNGR_USER_ID: "1f", MNGR_PREFIX: "mngr-" };
const options = {
  provider: "modal",
  agentType: "command",
  agentArgs: ["true"],
  repo: "https://github.com/me/app",
  timezone: "Asia/Tokyo",
} as const;

describe("an app as its Command's environment", () => {
  it("encodes the declared options, and omits unset ones", () => {
    expect(environmentOfApp(changelingOf("fairy", options), context)).toEqual({
      NAME: "fairy",
      STACK: "home",
      ENABLED: "yes",
      SCHEDULE: "0 3 * * *",
      WHEN: "At 03:00, every day",
      TIMEZONE: "Asia/Tokyo",
      REPO: "https://github.com/me/app",
      BRANCH: "main",
      IMAGE: "clone",
      AGENT_TYPE: "command",
      MNGR_TYPE: "command",
      AGENT_ENDS: "command",
      AGENT_ARGS: '["true"]',
      TIMEOUT_SECONDS: "3600",
      SETTLE_SECONDS: "60",
      KEEP_RUNS: "5",
      SECRETS: "GITHUB_TOKEN, NPM_TOKEN",
      PROGRAM: "0123456789ab",
      VERIFY: "call",
    });
  });

  it("shows a pinned commit with its first line, and what its tarball is made from", () => {
    const pinned = changelingOf("fairy", {
      ...options,
      repo: "/home/me/app",
      remote: "https://github.com/me/app",
      image: "pinned",
      historyDepth: 3,
    });
    const tip = { commit: "1a2b".repeat(10), subject: "Fix the parser" };
    expect(environmentOfApp(pinned, { ...context, tip })).toMatchObject({
      REPO: "https://github.com/me/app",
      IMAGE: "pinned",
      COMMIT: "1a2b".repeat(10),
      LAST_COMMIT: "Fix the parser",
      HISTORY_DEPTH: "3",
      TARBALL_OF: "~/app",
    });
  });

  it("becomes a spec that holds all of it, whatever the texts", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((value) => !value.includes("\0"));
    const declared = fc.record({
      agentArgs: fc.array(text, { minLength: 1, maxLength: 3 }),
      env: fc.dictionary(fc.stringMatching(/^MY_[A-Z]{1,5}$/), text, { maxKeys: 3 }),
      initialMessage: fc.option(
        text.filter((value) => value !== ""),
        { nil: undefined },
      ),
      timeoutSeconds: fc.integer({ min: 61, max: 86_100 }),
      enabled: fc.boolean(),
    });
    fc.assert(
      fc.property(declared, (given) => {
        const fairy = changelingOf("fairy", { ...options, ...given });
        const environment = appEnvironment.decode({ ...environmentOfApp(fairy, context), ...home });
        const spec = specOfApp(environment, undefined);
        expect(appSpec.parse(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
        expect(spec).toMatchObject({
          name: "fairy",
          environment: "mngr-1f",
          enabled: given.enabled,
          timeoutSeconds: given.timeoutSeconds,
          secrets: ["GITHUB_TOKEN", "NPM_TOKEN"],
          appName: "changeling_home_fairy",
          agent: {
            args: given.agentArgs,
            env: given.env,
            message: given.initialMessage ?? null,
            leavesExitStatus: true,
          },
        });
      }),
    );
  });

  it("has a tag that changes with the spec, and with nothing else", () => {
    const specWith = (schedule: string) => {
      const fairy = changelingOf("fairy", { ...options, schedule });
      const environment = appEnvironment.decode({ ...environmentOfApp(fairy, context), ...home });
      return specOfApp(environment, undefined);
    };
    expect(tagOf(specWith("0 3 * * *"))).toBe(tagOf(specWith("0 3 * * *")));
    expect(tagOf(specWith("0 3 * * *"))).not.toBe(tagOf(specWith("0 4 * * *")));
    expect(tagOf(specWith("0 3 * * *"))).toMatch(/^[0-9a-f]{16}$/);
  });
});

it("names the program by what it is made of", () => {
  expect(programFingerprint()).toMatch(/^[0-9a-f]{12}$/);
  expect(programFingerprint()).toBe(programFingerprint());
});
