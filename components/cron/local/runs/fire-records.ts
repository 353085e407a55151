import { randomBytes } from "node:crypto";
import { branchExists, gitIn } from "../../../git/git.ts";
import type { Cause } from "../../run-records.ts";
import type { JobSpec } from "../job.ts";
import { appendRecord, readRuns } from "../records.ts";
import type { RunContext } from "./context.ts";
import { branchOf, type RunPlan, runFiles, writePlan } from "./plan.ts";
import { repositoryFolder } from "./repository.ts";
import { RunIds, releaseRunId } from "./run-ids.ts";

/** What became of a due time or a request. */
export type Fired = { readonly runId: string } | { readonly skipped: string } | { readonly queued: true };

export interface FiredWith {
  /** Id of the request that caused it. */
  readonly request?: string | undefined;
  readonly waitedSeconds?: number | undefined;
}

/** Records which due times and requests were fired or skipped, and assigns the run ids. */
export class FireRecords {
  readonly #context: RunContext;
  readonly #ids: RunIds;

  constructor(context: RunContext) {
    this.#context = context;
    this.#ids = new RunIds(context.paths);
  }

  /** Records a run as fired, with a new id. @returns its plan @throws if it can't be recorded */
  async fired(spec: JobSpec, cause: Cause, { request, waitedSeconds }: FiredWith): Promise<RunPlan> {
    const { paths, env, log } = this.#context;
    const firedAt = new Date();
    const git = gitIn(repositoryFolder(paths, spec.repo), env);
    // A repository that does not exist (yet) has no such branch either.
    const isTaken = (each: string) => branchExists(git, branchOf(each));
    const id = await this.#ids.claim(spec.name, firedAt.getTime(), isTaken);
    const agentId = `agent-${randomBytes(16).toString("hex")}`;
    const plan = { id, agentId, firedAt: firedAt.toISOString(), spec };
    try {
      writePlan(runFiles(paths, spec.name, id), plan);
      appendRecord(paths, {
        event: "fired",
        at: plan.firedAt,
        changeling: spec.name,
        id,
        cause,
        branch: branchOf(id),
        repo: repositoryFolder(paths, spec.repo),
        agentId,
        ...(request === undefined ? {} : { request }),
        ...(waitedSeconds === undefined ? {} : { waitedSeconds }),
      });
    } catch (error) {
      releaseRunId(paths, id);
      throw error;
    }
    log(`${id}: fired (${cause.kind}${cause.kind === "manual" ? "" : `, due ${cause.due}`})`);
    return plan;
  }

  /** Records a due time or a request as skipped. @throws if it can't be recorded */
  skipped(name: string, cause: Cause, reason: string, request?: string): { readonly skipped: string } {
    const at = new Date();
    const id = this.#ids.next(name, at.getTime());
    const by = request === undefined ? {} : { request };
    const line = { event: "skipped", at: at.toISOString(), changeling: name, id, cause, reason, ...by } as const;
    appendRecord(this.#context.paths, line);
    this.#context.log(`${id}: skipped (${reason})`);
    return { skipped: reason };
  }

  /** What became of a request; undefined if it is new. */
  of(name: string, request: string): Fired | undefined {
    const run = readRuns(this.#context.paths, name).find((each) => each.request === request);
    if (run === undefined) return undefined;
    return run.outcome === "skipped" ? { skipped: run.reason ?? "" } : { runId: run.id };
  }
}
