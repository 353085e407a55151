import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readRuns } from "../../components/cron/local/records.ts";
import { requestRun, requestStop } from "../../components/cron/local/requests.ts";
import { eventually, type Installation, isAlive, SchedulerLab } from "../support/scheduler-lab.ts";

/**
 * Something goes wrong at every change of a file that a run makes, one after the other: the disk is full, or the
 * scheduler is killed. Whatever it was, no agent may run that no open run watches, or beside another, and none may be
 * left once the scheduler was removed.
 */
// It never ends by itself: only its limit does.
const script = "git commit --quiet --allow-empty --message Work; sleep 600";

async function fireInto(fault: string): Promise<void> {
  await using lab = new SchedulerLab("fake");
  const at = lab.installation();
  at.install(at.spec("a", { timeoutSeconds: 4, agent: { script } }));
  const first = await at.start(fault);
  const asked = await requestRun(at.paths, "a").then(
    () => "fired",
    (error: Error) => error.message,
  );
  const isDown = () => (first.exitCode === null && first.signalCode === null ? undefined : true);
  const isStuck = () => (at.log().includes("tried again") ? true : undefined);
  await eventually(
    "it is killed, or waits until the disk has room, or is done",
    () => isDown() ?? isStuck() ?? isDone(at),
  );
  await lab.kill(first);
  const second = await at.start();
  await eventually("no run is open", () => isDone(at));
  expect(aliveOf(lab), "after the run's end").toEqual([]);
  // Each request is fired once, or its caller got an error.
  const runs = readRuns(at.paths, "a");
  expect(runs.length, asked).toBeLessThanOrEqual(1);
  if (asked === "fired") expect(runs).toHaveLength(1);
  const again = await at.run("a");
  expect(again).toMatchObject({ outcome: "timed_out", commits: [{ subject: "Work" }] });
  // By now a `mngr create` that nobody waited for has made its agent, too.
  expect(aliveOf(lab), "beside the next run").toEqual([]);
  await requestStop(at.paths);
  await eventually("it has ended", () => (second.exitCode === null ? undefined : true));
  expect(lab.agents(), "after the removal").toEqual([]);
  expect(readdirSync(join(at.paths.scheduler, "env"))).toEqual([]);
  expect(readdirSync(join(lab.home, ".changelings", ".run-ids")).filter((file) => !file.startsWith("."))).toEqual([]);
}

function isDone(at: Installation): true | undefined {
  return readRuns(at.paths).every(({ outcome }) => outcome !== undefined) ? true : undefined;
}

function aliveOf(lab: SchedulerLab): string[] {
  return lab.agents().flatMap(({ name, pid, isStopped }) => (!isStopped && pid > 0 && isAlive(pid) ? [name] : []));
}

/** Every so many of the changes that a run makes, from a place that is another on every day: all are met by and by. */
function sample(count: number, every: number): number[] {
  const offset = Math.floor(Date.now() / 86_400_000) % every;
  return Array.from({ length: Math.ceil(count / every) }, (_, n) => 1 + n * every + offset).filter((n) => n <= count);
}

const every = Number(process.env["FAULTS_EVERY"] ?? 6);

describe.concurrent("a scheduler that is killed", () => {
  it.each(sample(36, every))("before change %i of a run leaves no agent unwatched", async (n) => {
    await fireInto(`kill:${n}`);
  });
});

describe.concurrent("a disk that is full", () => {
  it.each(sample(36, every / 2))("at change %i of a run leaves no agent unwatched", async (n) => {
    await fireInto(`full:${n}`);
  });
});
