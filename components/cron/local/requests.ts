import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import {
  DiskFullError,
  ensureFolder,
  isDiskFull,
  readJsonOrNull,
  watchFolder,
  writePrivateFile,
} from "../../host/files.ts";
import type { InstallationPaths } from "../../host/installation-paths.ts";
import { upCommand } from "../../lib/own-commands.ts";
import { schedulerState } from "./state.ts";

/** Requests to the scheduler: each is a file in `requests/`, and its answer is a file next to it. */
export const request = z.union([
  /** Fires a run now, even of a disabled changeling. */
  z.object({ kind: z.literal("run"), name: z.string(), at: z.string() }),
  /** Ends the current run, stops its agent, and forgets the job. */
  z.object({ kind: z.literal("remove"), name: z.string(), at: z.string() }),
  /** Ends all runs, then the scheduler. */
  z.object({ kind: z.literal("stop"), at: z.string() }),
]);

export type Request = z.infer<typeof request>;

export const answer = z.union([
  z.object({ runId: z.string() }),
  z.object({ skipped: z.string() }),
  z.object({ done: z.literal(true) }),
  z.object({ error: z.string() }),
]);

export type Answer = z.infer<typeof answer>;

/** A run starts at once, but without file events the scheduler only checks for new files once a minute. */
const runTimeoutMs = 90_000;
/** An agent may have to be created before it can be stopped, and processes get seconds to exit. */
export const removalTimeoutMs = 150_000;

/**
 * Fires a changeling now, through the same path as its schedule.
 *
 * @returns the run's id, or why it was not fired: its previous run is still running
 * @throws if no scheduler is alive, or if it does not know the changeling
 */
export async function requestRun(
  paths: InstallationPaths,
  name: string,
): Promise<{ readonly runId: string } | { readonly skipped: string }> {
  const answered = await ask(paths, { kind: "run", name, at: new Date().toISOString() }, runTimeoutMs);
  if ("runId" in answered || "skipped" in answered) return answered;
  throw new Error(`the scheduler started no run for ${name}`);
}

/** Ends a changeling's current run and makes the scheduler forget it, so that its job file can be removed. */
export async function requestRemoval(paths: InstallationPaths, name: string): Promise<void> {
  await ask(paths, { kind: "remove", name, at: new Date().toISOString() }, removalTimeoutMs);
}

/** Ends all runs, then the scheduler itself. Returns once the runs have ended. */
export async function requestStop(paths: InstallationPaths): Promise<void> {
  await ask(paths, { kind: "stop", at: new Date().toISOString() }, removalTimeoutMs);
}

async function ask(
  paths: InstallationPaths,
  asked: Request,
  timeoutMs: number,
): Promise<Exclude<Answer, { error: string }>> {
  if (!schedulerState(paths).alive) throw new Error(`the scheduler is not running; start it with: ${upCommand()}`);
  const id = randomUUID();
  const path = requestPath(paths, id);
  ensureFolder(paths.requests);
  writePrivateFile(path, `${JSON.stringify(asked)}\n`);
  const answering = waitForAnswer(paths, id, timeoutMs);
  try {
    const given = await answering;
    if ("error" in given) throw new Error(given.error);
    return given;
  } finally {
    // An unanswered request must not be handled later, when nobody expects it.
    rmSync(path, { force: true });
    rmSync(answerPath(paths, id), { force: true });
  }
}

function waitForAnswer(paths: InstallationPaths, id: string, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const finish = (how: () => void) => {
      unwatch();
      clearTimeout(timer);
      clearInterval(pulse);
      how();
    };
    const check = () => {
      const given = answer.safeParse(readJsonOrNull(answerPath(paths, id)));
      if (given.success) finish(() => resolve(given.data));
    };
    const unwatch = watchFolder(paths.requests, check);
    const seconds = timeoutMs / 1000;
    const whyNone = () => {
      if (!isDiskFull(paths.root))
        return new Error(`no answer from the scheduler within ${seconds} s; see ${logPath(paths)}`);
      return new DiskFullError(
        `the scheduler can't answer: the disk of ${paths.root} is full; free space there, then try again`,
      );
    };
    const timer = setTimeout(() => finish(() => reject(whyNone())), timeoutMs);
    // Don't wait for the whole timeout if a file event was lost, or if the scheduler is gone and not restarted.
    let absences = 0;
    const pulse = setInterval(() => {
      absences = schedulerState(paths).alive ? 0 : absences + 1;
      if (absences < 4) check();
      else finish(() => reject(new Error(`the scheduler ended before it answered; see ${logPath(paths)}`)));
    }, 2000);
    check();
  });
}

export function requestPath(paths: InstallationPaths, id: string): string {
  return join(paths.requests, `${id}.json`);
}

export function answerPath(paths: InstallationPaths, id: string): string {
  return join(paths.requests, `${id}.answer.json`);
}

function logPath(paths: InstallationPaths): string {
  return join(paths.scheduler, "scheduler.log");
}
