import { describe, expect, it } from "vitest";
import type { PlannedChange } from "../../../../scripts/changeling/plan/summary.ts";
import { planText } from "../../../../scripts/changeling/plan/text.ts";
import { plannedChanges } from "../../../support/planned-changes.ts";

const job = {
  NAME: "fairy",
  SCHEDULE: "0 3 * * *",
  WHEN: "At 03:00, every day",
  TIMEZONE: "Europe/Berlin",
  ENABLED: "yes",
  BRANCH: "main",
  DRIFT: "",
};

function step(op: string, name: string, before?: object, after?: object) {
  const state = (environment: object | undefined) => (environment ? { inputs: { environment } } : {});
  const type = name === "scheduler" ? "LocalScheduler" : "CronChangeling";
  const urn = `urn:pulumi:dev::changelings::changelings:cron:${type}$command:local:Command::${name}`;
  return { op, urn, oldState: state(before), newState: state(after) };
}

describe("plannedChanges", () => {
  it("omits unchanged resources, components, and resources that are not ours", () => {
    const same = step("same", "fairy-job", job, job);
    const component = { op: "create", urn: "urn:pulumi:dev::changelings::changelings:cron:CronChangeling::fairy" };
    const foreign = { op: "create", urn: "urn:pulumi:dev::changelings::random:index:RandomId::fairy-job" };
    expect(plannedChanges({ steps: [same, component, foreign] })).toEqual([]);
    expect(plannedChanges({})).toEqual([]);
  });

  it("contains each field before and after, and WHEN with the schedule", () => {
    const after = { ...job, SCHEDULE: "0 6 * * 1-5", WHEN: "At 06:00, Monday through Friday", TEMPLATE: "mine" };
    const timing = { timezone: "Europe/Berlin", enabled: true };
    expect(plannedChanges({ steps: [step("update", "fairy-job", job, after)] })).toEqual([
      {
        name: "fairy",
        part: "job",
        action: "change",
        drift: undefined,
        fields: [
          { field: "schedule", before: "0 3 * * *", after: "0 6 * * 1-5" },
          { field: "template", before: undefined, after: "mine" },
        ],
        before: { ...timing, schedule: "0 3 * * *", when: "At 03:00, every day" },
        after: { ...timing, schedule: "0 6 * * 1-5", when: "At 06:00, Monday through Friday" },
      } satisfies PlannedChange,
    ]);
  });

  it("calls a change that is only drift a repair, and says why", () => {
    const [change] = plannedChanges({
      steps: [step("update", "fairy-job", job, { ...job, DRIFT: "its job file is missing" })],
    });
    expect(change).toMatchObject({ action: "repair", drift: "its job file is missing", fields: [] });
  });

  it("leaves the number of the repair out", () => {
    const steps = [step("update", "fairy-job", job, { ...job, DRIFT: "its job file is missing (repair 2)" })];
    expect(plannedChanges({ steps })).toMatchObject([{ action: "repair", drift: "its job file is missing" }]);
  });

  it("only says that another release made it if only its command changes", () => {
    const inputs = (command: string) => ({
      inputs: { create: `exec node scripts/${command} apply`, environment: job },
    });
    const change = (type: string, name: string) => ({
      op: "update",
      urn: `urn:pulumi:dev::changelings::changelings:${type}$command:local:Command::${name}`,
      oldState: inputs("former.ts"),
      newState: inputs("command.ts"),
    });
    const steps = [change("cron:CronChangeling", "fairy-job"), change("web:WebChangeling", "fairy-agent")];
    const notes = ["another release made it, and this one takes it over"];
    expect(plannedChanges({ steps })).toMatchObject([
      { action: "change", part: "job", fields: [], notes },
      { action: "change", part: "agent", fields: [], notes },
    ]);
  });

  it("never shows a secret's value", () => {
    const secret = {
      NAME: "fairy",
      SECRETS: "TOKEN",
      VALUES: { "4dabf18193072939515e22adb298388d": "x", value: "hush" },
    };
    const rotated = { ...secret, VALUES: { "4dabf18193072939515e22adb298388d": "x", value: "new" } };
    const changes = plannedChanges({ steps: [step("update", "fairy-secrets", secret, rotated)] });
    expect(changes).toMatchObject([{ name: "fairy", part: "secrets", action: "change" }]);
    expect(JSON.stringify(changes)).not.toMatch(/hush|new/);
  });

  it("says what something shared is", () => {
    const shared = (name: string, environment: object) => ({
      op: "create",
      urn: `urn:pulumi:dev::changelings::command:local:Command::${name}`,
      newState: { inputs: { environment } },
    });
    const code = { REPO: "https://github.com/me/app", BRANCH: "main", COMMIT: "0123456789abcdef" };
    const steps = [
      shared("tarball-app-1eb637", code),
      shared("snapshot-app-2", code),
      shared("modal", { STACK: "dev" }),
    ];
    expect(plannedChanges({ steps }).map(({ title }) => title)).toEqual([
      "The code of https://github.com/me/app, branch main at 0123456789, for Modal,",
      "The snapshot of https://github.com/me/app, branch main, on Modal,",
      "What the stack's changelings on Modal share",
    ]);
  });

  it("distinguishes the session service on this machine from the worker on Cloudflare", () => {
    const of = (name: string) => ({
      op: "create",
      urn: `urn:pulumi:dev::changelings::changelings:sandbox:SessionService$command:local:Command::${name}`,
      newState: { inputs: { environment: { INSTALLATION: "0123456789ab" } } },
    });
    const changes = plannedChanges({ steps: [of("sandbox-sessions"), of("sandbox-sessions-worker")] });
    const text = planText(changes.map((change) => ({ ...change, nextBefore: [], nextAfter: [] })));
    expect(text).toBe("The session service is added\nThe sessions' worker on Cloudflare is added");
  });

  it("names a removed changeling by what the state holds", () => {
    expect(plannedChanges({ steps: [step("delete", "fairy-job", job)] })).toMatchObject([
      { name: "fairy", action: "remove", before: { schedule: "0 3 * * *" }, after: undefined },
    ]);
  });
});

describe("planText", () => {
  it("says so when nothing changes", () => {
    expect(planText([])).toBe("Nothing changes: the fleet is as declared.");
  });

  it("contains the next fire times before and after, in the changeling's zone", () => {
    const before = { schedule: "0 3 * * *", when: "At 03:00, every day", timezone: "Europe/Berlin", enabled: true };
    const after = { ...before, schedule: "0 6 * * 1-5", when: "At 06:00, Monday through Friday" };
    const text = planText([
      {
        name: "fairy",
        part: "job",
        action: "change",
        drift: undefined,
        fields: [
          { field: "schedule", before: before.schedule, after: after.schedule },
          { field: "branch", before: "main", after: "next" },
        ],
        before,
        after,
        nextBefore: [new Date("2026-11-22T02:00:00Z")],
        nextAfter: [new Date("2026-11-23T05:00:00Z"), new Date("2026-11-24T05:00:00Z")],
      },
    ]);
    expect(text).toBe(
      [
        "fairy changes",
        "  before  At 03:00, every day (0 3 * * *), Europe/Berlin: next Sun 22 Nov 03:00",
        "  after   At 06:00, Monday through Friday (0 6 * * 1-5), Europe/Berlin: next Mon 23 Nov 06:00, Tue 24 Nov 06:00",
        "  branch: main => next",
      ].join("\n"),
    );
  });
});
