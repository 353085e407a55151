import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRuns } from "../../components/cron/local/records.ts";
import { schedulerState } from "../../components/cron/local/state.ts";
import { mngrClient } from "../../components/mngr/client.ts";
import { makeTestStack, type TestStack } from "../engine/test-stack.ts";
import { Repository } from "../support/repository.ts";

const names = Array.from({ length: 60 }, (_, index) => `ant-${index + 10}`);
const minutes = 60_000;

/** With the real engine, scheduler, mngr and tmux: what a full fleet does to one machine. */
describe("sixty changelings that are due in one minute", () => {
  let test: TestStack;
  let repo: Repository;
  beforeAll(() => {
    test = makeTestStack({ MNGR__PROVIDERS__MODAL__IS_ENABLED: "false", MNGR__PROVIDERS__DOCKER__IS_ENABLED: "false" });
    repo = new Repository();
    repo.commit({ "README.md": "# app\n" }, { author: "Me", at: "2026-01-01T00:00:00Z" });
  });
  afterAll(async () => {
    await test?.remove();
    repo?.[Symbol.dispose]();
  });

  const declare = (due: Date) => {
    const work = JSON.stringify("sleep 1; date >>done.txt; git add done.txt; git commit -qm Done");
    const defaults = [
      `schedule = "${due.getUTCMinutes()} ${due.getUTCHours()} * * *"`,
      ...['timezone = "UTC"', "timeout_seconds = 60", 'agent_type = "command"', `repo = "${repo.folder}"`],
      ...["secrets = []", `agent_args = ["sh", "-c", ${work}]`],
    ];
    test.declare(`[defaults]\n${defaults.join("\n")}\n${names.map((name) => `[changelings.${name}]\n`).join("")}`);
  };
  const runs = () => names.map((name) => readRuns(test.paths, name)[0]);
  const ended = () => runs().filter((run) => run?.outcome !== undefined).length;
  const agents = async () =>
    (await mngrClient(env()).list(["local"])).agents.map(({ name, state }) => `${name} ${state}`);
  const env = () =>
    Object.fromEntries(Object.entries(test.env).flatMap(([key, value]) => (value ? [[key, value]] : [])));

  it("all run to their end, whatever they wait for", { timeout: 40 * minutes }, async () => {
    // The engine takes its time for them, and the minute must be to come when it is done.
    const due = new Date(Math.ceil(Date.now() / minutes) * minutes + 6 * minutes);
    declare(due);
    const { code, stdout } = await test.up();
    expect(code, stdout).toBe(0);
    expect(Date.now()).toBeLessThan(due.getTime());
    await expect.poll(ended, { timeout: due.getTime() - Date.now() + 25 * minutes, interval: 2000 }).toBe(names.length);
    const outcomes = Map.groupBy(runs(), (run) => `${run?.outcome}: ${run?.reason ?? ""}`);
    expect([...outcomes].map(([outcome, { length }]) => [outcome, length])).toEqual([["succeeded: ", names.length]]);
  });

  it("are gone after a destroy that comes while they run and wait", { timeout: 40 * minutes }, async () => {
    const due = new Date(Math.ceil(Date.now() / minutes) * minutes + 5 * minutes);
    declare(due);
    expect((await test.up()).code).toBe(0);
    const started = () => runs().filter((run) => run !== undefined && Date.parse(run.firedAt) >= due.getTime()).length;
    await expect.poll(started, { timeout: due.getTime() - Date.now() + 5 * minutes, interval: 500 }).toBeGreaterThan(1);
    const { code, stdout } = await test.pulumi(["destroy", "--yes", "--skip-preview", "--non-interactive"]);
    expect(code, stdout).toBe(0);
    expect(schedulerState(test.paths).alive).toBe(false);
    expect((await agents()).filter((agent) => !/ (STOPPED|DONE)$/.test(agent))).toEqual([]);
    expect(repo.git("worktree", "list").split("\n").length).toBeLessThanOrEqual(1 + names.length * 5);
  });
});
