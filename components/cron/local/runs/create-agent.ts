import type { ChildProcess } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fallbackIdentity, gitIn, worktreeOf } from "../../../git/git.ts";
import { ensureFolder, readTextIfAny, writePrivateFile } from "../../../host/files.ts";
import { messageOf } from "../../../lib/as-error.ts";
import { approveKeyCommand } from "../../../mngr/approve-key.ts";
import { createArguments } from "../../../mngr/arguments.ts";
import { envFileText } from "../../../mngr/env-file.ts";
import { type Created, createdFrom, errorLine, reasonOf } from "../../../mngr/output.ts";
import { writeProjectSettings } from "../../../mngr/project-folder.ts";
import { projectTables } from "../../../mngr/project-tables.ts";
import { readSecrets } from "../../../secrets/installed.ts";
import type { JobSpec } from "../job.ts";
import type { RunContext } from "./context.ts";
import { endOfCreate, endOfOrphanedCreate } from "./create-process.ts";
import { deleteBranchIfEmpty, unsetUpstream } from "./git.ts";
import { branchOf, type RunFiles, type RunPlan, runFiles } from "./plan.ts";
import { prepareRepository, repositoryFolder } from "./repository.ts";
import { baseCommitOf, baseRefOf, recordStart } from "./start.ts";

const runCommand = join(dirname(fileURLToPath(import.meta.url)), "run-command.sh");

/** No agent could be created, for the reason in the message. None of the run exists. */
export class CreateError extends Error {}

/** An agent of the run may exist that could not be destroyed. The run is open until it is. */
export class LeftoverError extends Error {}

export interface CreatedAgent {
  readonly agentId: string;
  /** The commit that its branch started from; undefined if unknown. */
  readonly base: string | undefined;
  readonly worktree: string | undefined;
}

/** True if the agent's command runs in our wrapper, which records its exit status. */
export function leavesExitStatus({ agent }: JobSpec): boolean {
  return !agent.isConversational && (agent.script !== undefined || agent.mngrType === "command");
}

/**
 * Creates the agent of a run, exactly once: after a crash, it continues with the `mngr create` that was in progress.
 *
 * @param interruption aborted, with the reason in words, to cancel it
 * @throws CreateError or LeftoverError; any other error occurred before mngr was started
 */
export async function createAgent(
  plan: RunPlan,
  context: RunContext,
  interruption: AbortSignal,
): Promise<CreatedAgent> {
  const files = runFiles(context.paths, plan.spec.name, plan.id);
  try {
    if (existsSync(files.createOutput)) await endOfOrphanedCreate(plan, files, interruption);
    else await endOfCreate(await startCreate(plan, files, context, interruption), interruption);
  } finally {
    rmSync(files.env, { force: true });
  }
  try {
    return await createdBy(plan, files, context, interruption);
  } catch (error) {
    if (error instanceof CreateError) throw error;
    throw new LeftoverError(messageOf(error));
  }
}

/** The result of a `mngr create` that has ended. */
async function createdBy(
  plan: RunPlan,
  files: RunFiles,
  context: RunContext,
  interruption: AbortSignal,
): Promise<CreatedAgent> {
  const created = createdFrom(readTextIfAny(files.createOutput) ?? "");
  if (created?.kind === "created") {
    const git = gitIn(repositoryFolder(context.paths, plan.spec.repo), context.env);
    // The agent exists even if git fails. Throwing here would leave it running without its timeout.
    const branch = branchOf(plan.id);
    await unsetUpstream(git, branch, baseRefOf(files)).catch((error: unknown) =>
      context.log(`${plan.id}: ${branch} may have its base as upstream: ${messageOf(error)}`),
    );
    const worktree = await worktreeOf(git, branch, plan.id).catch(() => undefined);
    return { agentId: created.agentId, base: baseCommitOf(files), worktree };
  }
  await removeLeftovers(plan, created, context);
  if (interruption.aborted) throw new CreateError(String(interruption.reason));
  const log = readTextIfAny(files.createLog) ?? "";
  const message = created?.message ?? (log.trim() === "" ? "it was interrupted" : errorLine(log));
  const hint = context.mngr(plan.spec.mngrProfile).whyBroken();
  throw new CreateError(`mngr create failed: ${reasonOf(message)}${hint}`);
}

async function startCreate(
  plan: RunPlan,
  files: RunFiles,
  context: RunContext,
  interruption: AbortSignal,
): Promise<ChildProcess> {
  const { spec } = plan;
  const mngr = context.mngr(spec.mngrProfile);
  await context.checkMngrVersion(mngr);
  const secrets = readSecrets(context.paths, spec.name);
  const repository = await prepareRepository(context.paths, spec, context.env, secrets["GITHUB_TOKEN"]);
  const identity = await fallbackIdentity(gitIn(repository.folder, context.env), spec.name);
  const { GITHUB_TOKEN: token } = { ...spec.agent.env, ...secrets };
  const gh = token === undefined ? {} : { GH_TOKEN: token };
  ensureFolder(dirname(files.env));
  await recordStart(files, repository, context.env);
  writePrivateFile(files.env, envFileText({ ...identity, ...gh, ...spec.agent.env, ...secrets }));
  writePrivateFile(files.secretNames, Object.keys({ ...gh, ...secrets }).join("\n"));
  if (spec.agent.message !== undefined) writePrivateFile(files.prompt, spec.agent.message);
  if (spec.agent.script !== undefined) writePrivateFile(files.script, spec.agent.script);
  const args = createArguments({
    agent: plan.id,
    id: plan.agentId,
    type: spec.agent.mngrType,
    base: repository.base.name,
    branch: branchOf(plan.id),
    labels: labelsOf(plan, context.installation),
    envFile: files.env,
    prepare: spec.agent.isConversational ? approveKeyCommand : undefined,
    messageFile: spec.agent.message === undefined ? undefined : files.prompt,
    template: spec.agent.template,
    settings: spec.agent.settings,
    buildArgs: spec.agent.buildArgs,
    agentArgs: agentArgs(spec, files),
  });
  ensureFolder(files.project);
  writeProjectSettings(files.project, projectTables(repository.folder, context.env));
  if (interruption.aborted) throw new CreateError(String(interruption.reason));
  const child = await mngr.startCreate(args, {
    cwd: repository.folder,
    project: files.project,
    stdout: files.createOutput,
    stderr: files.createLog,
    pid: files.createPid,
    signal: interruption,
  });
  context.log(`${plan.id}: mngr create started ${Date.now() - Date.parse(plan.firedAt)} ms after it was fired`);
  return child;
}

function labelsOf({ id, spec }: RunPlan, installation: string): Record<string, string> {
  return {
    CREATOR: "changeling",
    changeling: spec.name,
    changeling_run: id,
    changelings_installation: installation,
  };
}

function agentArgs(spec: JobSpec, files: RunFiles): string[] {
  if (!leavesExitStatus(spec)) return spec.agent.args;
  const script = spec.agent.script === undefined ? [] : ["/bin/sh", files.script];
  return ["/bin/sh", runCommand, files.folder, ...script, ...spec.agent.args];
}

/**
 * Destroys the agent that a failed or killed create may have left. Nothing could start it again.
 * @throws if an agent may still exist
 */
async function removeLeftovers(plan: RunPlan, created: Created | undefined, context: RunContext): Promise<void> {
  if (created?.kind === "error" && created.errorClass === "DuplicateAgentNameError") return;
  await destroyLeftover(plan, context);
  // The create failed because the branch already existed, so the branch is not ours to delete.
  if (created?.kind === "error" && /already exists/.test(created.message)) return;
  try {
    const git = gitIn(repositoryFolder(context.paths, plan.spec.repo), context.env);
    const branch = branchOf(plan.id);
    // git leaves a worktree whose hook failed, and so does a mngr that was killed before it recorded its agent.
    const leftover = await worktreeOf(git, branch, plan.id);
    if (leftover !== undefined) await git.run(["worktree", "remove", "--force", "--force", "--", leftover]);
    await deleteBranchIfEmpty(git, branch);
  } catch (error) {
    context.log(`${plan.id}: could not remove what mngr create left: ${messageOf(error)}`);
  }
}

/** @throws MngrError if an agent may exist that could not be destroyed */
async function destroyLeftover(plan: RunPlan, context: RunContext): Promise<void> {
  const mngr = context.mngr(plan.spec.mngrProfile);
  const agent = plan.agentId ?? plan.id;
  const isHeld = () => plan.agentId === undefined || mngr.holds(plan.agentId);
  try {
    await mngr.destroy([agent]);
    // mngr treats an agent whose files are unreadable as gone.
    if (plan.agentId !== undefined && isHeld()) await mngr.closeTerminal(plan.id);
  } catch (error) {
    if (!isHeld()) return;
    await mngr.stop(agent).catch(() => mngr.closeTerminal(plan.id));
    throw error;
  }
}
