import { setTimeout as sleep } from "node:timers/promises";
import { readTail, writePrivateFile } from "../../../files.ts";
import { readSecrets } from "../../../installed-secrets.ts";
import { masked, maskedLines } from "../../../masking.ts";
import { MngrError } from "../../../mngr/client.ts";
import { GitError } from "../../../source/git.ts";
import type { RecordedRun } from "../../runs/fold.ts";
import { appendRecord } from "../records.ts";
import type { RunContext } from "./context.ts";
import { type CreatedAgent, CreateError, createAgent } from "./create-agent.ts";
import { type Ending, type Verdict, verdictOf, warningOfUncommitted } from "./outcome.ts";
import { branchOf, type RunFiles, type RunPlan, runFiles } from "./plan.ts";
import { refreshBase, repositoryFolder } from "./repository.ts";
import { baseRefOf, noteMissingStart, startWarnings } from "./start.ts";
import { watchAgent } from "./watch-agent.ts";
import { noWork, type Work, workSince } from "./work.ts";

const stopAttempts = 3;
const stopPauseMs = 5000;
const keptOutputBytes = 1_000_000;

/**
 * Performs a run that was recorded as fired, to its recorded end. Every step can be taken up again: after a crash, it
 * is called with what the records tell, and goes on from there.
 */
export async function performRun(
  plan: RunPlan,
  recorded: RecordedRun,
  context: RunContext,
  interruption: AbortSignal,
): Promise<void> {
  let verdict: Conclusion;
  try {
    const agent = createdBefore(recorded) ?? (await createAndRecord(plan, context));
    const ending = await watchAgent(plan, agent.agentId, context, interruption);
    verdict = await conclude(plan, agent, ending, context);
  } catch (error) {
    const isExpected = error instanceof CreateError || error instanceof GitError || error instanceof MngrError;
    if (!isExpected) context.log(`${plan.id}: ${error instanceof Error ? error.stack : error}`);
    const reason = error instanceof Error ? error.message : String(error);
    verdict = { outcome: "failed", reason, work: noWork };
  }
  tidyLogs(plan, context);
  verdict = withoutSecrets(verdict, Object.values(readSecrets(context.paths, plan.spec.name)));
  const { commits, branches, warnings } = verdict.work;
  const isOnOwnBranch = branches.every(({ name }) => name === branchOf(plan.id));
  appendRecord(context.paths, {
    event: "ended",
    at: new Date().toISOString(),
    changeling: plan.spec.name,
    id: plan.id,
    outcome: verdict.outcome,
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    commits: [...commits],
    ...(isOnOwnBranch ? {} : { branches: [...branches] }),
    ...(warnings.length === 0 ? {} : { warnings: [...warnings] }),
  });
  context.log(`${plan.id}: ${verdict.outcome}${verdict.reason === undefined ? "" : ` (${verdict.reason})`}`);
}

function createdBefore({ agentId, base, worktree }: RecordedRun): CreatedAgent | undefined {
  return agentId === undefined ? undefined : { agentId, base, worktree };
}

async function createAndRecord(plan: RunPlan, context: RunContext): Promise<CreatedAgent> {
  const agent = await createAgent(plan, context);
  appendRecord(context.paths, {
    event: "created",
    at: new Date().toISOString(),
    changeling: plan.spec.name,
    id: plan.id,
    agentId: agent.agentId,
    ...(agent.base === undefined ? {} : { base: agent.base }),
    ...(agent.worktree === undefined ? {} : { worktree: agent.worktree }),
  });
  context.log(`${plan.id}: agent ${agent.agentId} created`);
  return agent;
}

interface Conclusion extends Verdict {
  readonly work: Work;
}

/** An agent, or git, may have put one into what the record is to say. */
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

/** Stops the agent, and only then looks at what it did: until then it could do more. */
async function conclude(plan: RunPlan, agent: CreatedAgent, ending: Ending, context: RunContext): Promise<Conclusion> {
  const { spec } = plan;
  if (spec.agent.isConversational && ending.kind !== "destroyed") await saveConversation(plan, agent.agentId, context);
  const complaint = ending.kind === "destroyed" ? undefined : await stopAgent(plan, agent.agentId, context);
  const work = await workOf(plan, agent, context);
  const remains = { ...work, worktree: agent.worktree, timeoutSeconds: spec.timeoutSeconds };
  const verdict = verdictOf(ending, remains);
  const reason = [verdict.reason, complaint].filter((each) => each !== undefined).join("; ");
  const uncommitted = warningOfUncommitted(remains);
  const warnings = [...startWarnings(filesOf(plan, context)), ...(uncommitted ? [uncommitted] : []), ...work.warnings];
  return {
    outcome: verdict.outcome,
    reason: reason === "" ? undefined : reason,
    work: { ...work, warnings },
  };
}

function filesOf({ spec, id }: RunPlan, { paths }: RunContext): RunFiles {
  return runFiles(paths, spec.name, id);
}

async function workOf(plan: RunPlan, { base, worktree }: CreatedAgent, context: RunContext): Promise<Work> {
  const files = filesOf(plan, context);
  noteMissingStart(files, base);
  const { GITHUB_TOKEN: token } = readSecrets(context.paths, plan.spec.name);
  await refreshBase(context.paths, plan.spec, context.env, token);
  const place = {
    folder: repositoryFolder(context.paths, plan.spec.repo),
    start: files.refs,
    base: baseRefOf(files),
    branch: branchOf(plan.id),
    worktree,
    isShared: true,
  };
  return workSince(place, context.env);
}

async function saveConversation(plan: RunPlan, agentId: string, context: RunContext): Promise<void> {
  const mngr = context.mngr(plan.spec.mngrProfile);
  const transcript = await mngr.transcript(agentId).catch(() => "");
  const text = transcript.trim() === "" ? await mngr.capture(agentId).catch(() => "") : transcript;
  // Taken up again after a crash, the agent may be stopped already: what was saved then stays.
  const secrets = Object.values(readSecrets(context.paths, plan.spec.name));
  if (text.trim() !== "") writePrivateFile(filesOf(plan, context).output, masked(text, secrets));
}

/** What it and mngr printed can be read later: the end of it, without secrets, which mngr's own words may hold too. */
function tidyLogs(plan: RunPlan, context: RunContext): void {
  const { output, createLog } = filesOf(plan, context);
  for (const file of [output, createLog]) {
    try {
      const text = readTail(file, keptOutputBytes);
      const shown = masked(text, Object.values(readSecrets(context.paths, plan.spec.name)));
      if (text !== shown || text.length >= keptOutputBytes) writePrivateFile(file, shown);
    } catch (error) {
      context.log(`${plan.id}: ${file} stays as it is: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** @returns what went wrong, in words; undefined when it is stopped */
async function stopAgent(plan: RunPlan, agentId: string, context: RunContext): Promise<string | undefined> {
  const mngr = context.mngr(plan.spec.mngrProfile);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mngr.stop(agentId);
      return undefined;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      context.log(`${plan.id}: ${message}`);
      if (attempt === stopAttempts) return `its agent could not be stopped: ${message}`;
      await sleep(stopPauseMs);
    }
  }
}
