import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stockChangeling } from "../../../../changelings/stock.ts";
import { changelingOf } from "../../../../components/cron/from-program.ts";
import { environmentOfJob, jobEnvironment, jobOf } from "../../../../components/cron/job-environment.ts";

const anchors = { project: "/home/me/fleet", home: "/home/me" };
const context = { installation: "0123456789ab", mngrProfile: undefined, stock: undefined, anchors };

describe("a job as its Command's environment", () => {
  it("encodes the declared options, and omits unset ones", () => {
    const fairy = changelingOf("fairy", {
      agentType: "command",
      agentArgs: ["true"],
      repo: "/home/me/app",
      timezone: "Asia/Tokyo",
    });
    expect(environmentOfJob(fairy, context)).toEqual({
      NAME: "fairy",
      INSTALLATION: "0123456789ab",
      ENABLED: "yes",
      SCHEDULE: "0 3 * * *",
      WHEN: "At 03:00, every day",
      TIMEZONE: "Asia/Tokyo",
      REPO: "~/app",
      BRANCH: "main",
      AGENT_TYPE: "command",
      MNGR_TYPE: "command",
      AGENT_ENDS: "command",
      AGENT_ARGS: '["true"]',
      TIMEOUT_SECONDS: "3600",
      SETTLE_SECONDS: "60",
      KEEP_RUNS: "5",
      OVERLAP: "skip",
      CATCH_UP: "yes",
    });
  });

  it("comes back as the same job", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((value) => !value.includes("\0"));
    const options = fc.record({
      agentArgs: fc.array(text, { maxLength: 3 }),
      env: fc.dictionary(fc.stringMatching(/^MY_[A-Z]{1,5}$/), text, { maxKeys: 3 }),
      initialMessage: fc.option(
        text.filter((value) => value !== ""),
        { nil: undefined },
      ),
      timeoutSeconds: fc.integer({ min: 61, max: 86400 }),
      overlap: fc.constantFrom("skip" as const, "queue" as const),
      enabled: fc.boolean(),
      fetch: fc.boolean(),
    });
    fc.assert(
      fc.property(options, (declared) => {
        const fairy = changelingOf("fairy", {
          ...declared,
          agentType: "command",
          repo: "/home/me/app",
          timezone: "Asia/Tokyo",
        });
        const environment = jobEnvironment.decode(environmentOfJob(fairy, context));
        const job = jobOf(environment, { stock: undefined, anchors });
        expect(job).toMatchObject({
          name: "fairy",
          repo: "/home/me/app",
          timeoutSeconds: declared.timeoutSeconds,
          overlap: declared.overlap,
          enabled: declared.enabled,
          ...(declared.fetch ? {} : { fetch: false }),
          agent: { args: declared.agentArgs, env: declared.env },
        });
        expect("fetch" in job).toBe(!declared.fetch);
        expect(job.agent.message).toBe(declared.initialMessage);
      }),
    );
  });

  it("takes a stock changeling's texts from its definition, and shows a new definition as a change", () => {
    const stock = stockChangeling("test-troll");
    if (stock === undefined) throw new Error("test-troll is a stock changeling");
    const troll = changelingOf("test-troll", { repo: "/home/me/app", timezone: "Asia/Tokyo" });
    const environment = environmentOfJob(troll, { ...context, stock });
    expect(environment).toMatchObject({
      MNGR_TYPE: "claude",
      AGENT_ENDS: "conversation",
      AGENT_DEFINITION: stock.fingerprint,
    });
    expect(jobOf(jobEnvironment.decode(environment), { stock, anchors }).agent.message).toBe(stock.message);
  });
});
