import { setTimeout as sleep } from "node:timers/promises";
import { GitError } from "../../../git/git.ts";
import { isDiskFull, readTail, writePrivateFile } from "../../../host/files.ts";
import { messageOf } from "../../../lib/as-error.ts";
import { masked, maskedLines } from "../../../lib/masking.ts";
import { MngrError } from "../../../mngr/client.ts";
import { withoutOtherAgents } from "../../../mngr/other-agents.ts";
import { readSecrets } from "../../../secrets/installed.ts";
import type { RecordedRun, RecordLine } from "../../run-records.ts";
import { appendRecord } from "../records.ts";
import type { RunContext } from "./context.ts";
import { type CreatedAgent, CreateError, createAgent, LeftoverError } from "./create-agent.ts";
import { apiFailureInWords, type Ending, type RunResult, resultOf, warningOfUncommitted } from "./outcome.ts";
import { branchOf, type RunFiles, type RunPlan, runFiles } from "./plan.ts";
import { refreshBase, repositoryFolder } from "./repository.ts";
import { baseRefOf, recordMissingStart, startWarnings } from "./start.ts";
import { watchAgent } from "./watch-agent.ts";
import { noWork, type Work, workSince } from "./work.ts";

const stopAttempts = 3;
const stopPauseMs = 5000;
const keptOutputBytes = 1_000_000;

/**
 * Performs a run that was recorded as fired, until its agent is no longer running. Every step can be resumed: after a
 * crash, call it again with what the records contain.
 *
 * @returns the records to write, in this order; after that the run is over
 * @throws LeftoverError or MngrError while its agent can't be stopped
 */
export async function performRun(
  plan: RunPlan,
  recorded: RecordedRun,
  context: RunContext,
  interruption: AbortSignal,
): Promise<RecordLine[]> {
  const before = createdBefore(recorded);
  const agent = before ?? (await created(plan, context, interruption));
  if ("outcome" in agent) return [endedLine(plan, recordable(plan, agent, context))];
  const isRecorded = before !== undefined || tryRecord(createdLine(plan, agent), context);
  const conclusion = recordable(plan, await watched(plan, agent, recorded, context, interruption), context);
  return [...(isRecorded ? [] : [createdLine(plan, agent)]), endedLine(plan, conclusion)];
}

/** The run continues even if this can't be recorded; the record of its end makes up for it. */
function tryRecord(line: RecordLine, { paths, log }: RunContext): boolean {
  try {
    appendRecord(paths, line);
    return true;
  } catch (error) {
    log(`${line.changeling}: ${messageOf(error)}`);
    return false;
  }
}

function createdLine({ id, spec }: RunPlan, { agentId, base, worktree }: CreatedAgent): RecordLine {
  const at = new Date().toISOString();
  const from = base === undefined ? {} : { base };
  const where = worktree === undefined ? {} : { worktree };
  return { event: "created", at, changeling: spec.name, id, agentId, ...from, ...where };
}

function endedLine({ id, spec }: RunPlan, { outcome, reason, work }: Conclusion): RecordLine {
  const { commits, branches, warnings } = work;
  const isOnOwnBranch = branches.every(({ name }) => name === branchOf(id));
  return {
    event: "ended",
    at: new Date().toISOString(),
    changeling: spec.name,
    id,
    outcome,
    ...(reason === undefined ? {} : { reason }),
    commits: [...commits],
    ...(isOnOwnBranch ? {} : { branches: [...branches] }),
    ...(warnings.length === 0 ? {} : { warnings: [...warnings] }),
  };
}

function createdBefore({ agentId, base, worktree }: RecordedRun): CreatedAgent | undefined {
  return agentId === undefined ? undefined : { agentId, base, worktree };
}

/** @returns the agent, or how the run ended without one */
async function created(
  plan: RunPlan,
  context: RunContext,
  interruption: AbortSignal,
): Promise<CreatedAgent | Conclusion> {
  try {
    const agent = await createAgent(plan, context, interruption);
    context.log(`${plan.id}: agent ${agent.agentId} created`);
    return agent;
  } catch (error) {
    if (error instanceof LeftoverError) throw error;
    const isExpected = error instanceof CreateError || error instanceof GitError || error instanceof MngrError;
    if (!isExpected) context.log(`${plan.id}: ${error instanceof Error ? error.stack : error}`);
    const reason = interruption.aborted ? String(interruption.reason) : messageOf(error);
    return { outcome: "failed", reason, work: noWork };
  }
}

/** Watches an agent until it ends. @throws MngrError if it can't be stopped */
async function watched(
  plan: RunPlan,
  agent: CreatedAgent,
  { createdAt }: RecordedRun,
  context: RunContext,
  interruption: AbortSignal,
): Promise<Conclusion> {
  const startedAt = createdAt === undefined ? Date.now() : Date.parse(createdAt);
  const ending = await watchAgent(plan, { agentId: agent.agentId, startedAt }, context, interruption).catch(
    // An agent that can't be watched must not continue.
    (error: unknown): Ending => ({ kind: "interrupted", reason: `it could not be watched: ${messageOf(error)}` }),
  );
  return conclude(plan, agent, ending, context);
}

interface Conclusion extends RunResult {
  readonly work: Work;
}

/** Redacts secrets that an agent or git may have put into the texts of the record. */
function withoutSecrets({ outcome, reason, work }: Conclusion, secrets: readonly string[]): Conclusion {
  const { commits, warnings } = work;
  const texts = [...(reason === undefined ? [] : [reason]), ...warnings, ...commits.map(({ subject }) => subject)];
  const shown = maskedLines(texts, secrets);
  return {
    outcome,
    reason: reason === undefined ? undefined : shown.shift(),
    work: {
      ...work,
      warnings: shown.splice(0, warnings.length),
      commits: commits.map(({ hash }, index) => ({ hash, subject: shown[index] ?? "" })),
    },
  };
}

/** Redacts secrets. If they can't be read, drops the texts that may contain them. */
function recordable(plan: RunPlan, conclusion: Conclusion, context: RunContext): Conclusion {
  tidyLogs(plan, context);
  try {
    return withoutSecrets(conclusion, Object.values(readSecrets(context.paths, plan.spec.name)));
  } catch (error) {
    const commits = conclusion.work.commits.map(({ hash }) => ({ hash, subject: "" }));
    return { ...conclusion, reason: messageOf(error), work: { ...conclusion.work, commits, warnings: [] } };
  }
}

/** Stops the agent before observing its work, because a running agent could still change it. */
async function conclude(plan: RunPlan, agent: CreatedAgent, ending: Ending, context: RunContext): Promise<Conclusion> {
  const { spec } = plan;
  const problems: string[] = [];
  if (spec.agent.isConversational && ending.kind !== "destroyed") {
    // The agent is stopped in any case: it would go on working, and costing money.
    await saveConversation(plan, agent.agentId, context).catch((error: unknown) =>
      context.log(`${plan.id}: its conversation could not be saved: ${messageOf(error)}`),
    );
  }
  if (ending.kind !== "destroyed") problems.push(...(await stopAgent(plan, agent.agentId, ending, context)));
  const work = await workOf(plan, agent, context).catch((error: unknown) => {
    problems.push(`what it did is not known: ${messageOf(error)}`);
    return noWork;
  });
  if (ending.kind === "vanished" && isDiskFull(context.paths.root)) {
    problems.push(`the disk of ${context.paths.root} is full, so its exit status may be lost`);
  }
  const apiFailure = ending.kind === "settled" ? context.mngr(spec.mngrProfile).apiFailure(agent.agentId) : undefined;
  const leftovers = { ...work, worktree: agent.worktree, timeoutSeconds: spec.timeoutSeconds, apiFailure };
  const result = resultOf(ending, leftovers);
  const reason = [result.reason, ...problems].filter((each) => each !== undefined).join("; ");
  const uncommitted = warningOfUncommitted(leftovers);
  const brokenOff =
    result.outcome === "succeeded" && apiFailure ? [`it was broken off: ${apiFailureInWords(apiFailure)}`] : [];
  const warnings = [
    ...startWarnings(filesOf(plan, context)),
    ...brokenOff,
    ...(uncommitted ? [uncommitted] : []),
    ...work.warnings,
  ];
  return {
    outcome: result.outcome,
    reason: reason === "" ? undefined : reason,
    work: { ...work, warnings },
  };
}

function filesOf({ spec, id }: RunPlan, { paths }: RunContext): RunFiles {
  return runFiles(paths, spec.name, id);
}

async function workOf(plan: RunPlan, { base, worktree }: CreatedAgent, context: RunContext): Promise<Work> {
  const files = filesOf(plan, context);
  const folder = repositoryFolder(context.paths, plan.spec.repo);
  await recordMissingStart(files, { folder, branch: branchOf(plan.id), base }, context.env);
  const { GITHUB_TOKEN: token } = readSecrets(context.paths, plan.spec.name);
  await refreshBase(context.paths, plan.spec, context.env, token).catch((error: unknown) =>
    context.log(`${plan.id}: ${messageOf(error)}`),
  );
  const scope = {
    folder,
    start: files.refs,
    base: baseRefOf(files),
    branch: branchOf(plan.id),
    worktree,
    isShared: true,
  };
  return workSince(scope, context.env);
}

async function saveConversation(plan: RunPlan, agentId: string, context: RunContext): Promise<void> {
  const mngr = context.mngr(plan.spec.mngrProfile);
  const transcript = await mngr.transcript(agentId).catch(() => "");
  const text = transcript.trim() === "" ? await mngr.capture(agentId).catch(() => "") : transcript;
  // After a crash the agent may already be stopped; logs that were saved then are kept.
  const secrets = Object.values(readSecrets(context.paths, plan.spec.name));
  if (text.trim() !== "") writePrivateFile(filesOf(plan, context).output, masked(text, secrets));
}

/** Keeps the log tails of the agent and of mngr, both with secrets redacted. */
function tidyLogs(plan: RunPlan, context: RunContext): void {
  const { output, createLog } = filesOf(plan, context);
  for (const file of [output, createLog]) {
    try {
      const text = readTail(file, keptOutputBytes);
      const ownText = file === createLog ? withoutOtherAgents(text) : text;
      const shown = masked(ownText, Object.values(readSecrets(context.paths, plan.spec.name)));
      if (text !== shown || text.length >= keptOutputBytes) writePrivateFile(file, shown);
    } catch (error) {
      context.log(`${plan.id}: ${file} stays as it is: ${messageOf(error)}`);
    }
  }
}

/** Its command has exited by itself; the agent is only an empty terminal. */
const endedKinds: ReadonlySet<Ending["kind"]> = new Set(["exited", "done", "vanished", "stopped"]);

/** @returns what went wrong, in words @throws MngrError if it may still be running */
async function stopAgent(plan: RunPlan, agentId: string, ending: Ending, context: RunContext): Promise<string[]> {
  const mngr = context.mngr(plan.spec.mngrProfile);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mngr.stop(agentId);
      return [];
    } catch (error) {
      context.log(`${plan.id}: ${messageOf(error)}`);
      if (attempt < stopAttempts) await sleep(stopPauseMs);
      else if (await mngr.closeTerminal(plan.id)) return [`mngr could not stop its agent: ${messageOf(error)}`];
      else if (endedKinds.has(ending.kind)) return [`its agent could not be stopped: ${messageOf(error)}`];
      else throw error;
    }
  }
}
