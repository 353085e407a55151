import type { ChildProcess } from "node:child_process";
import { existsSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ensureFolder, readTextIfAny, writePrivateFile } from "../../../files.ts";
import { readSecrets } from "../../../installed-secrets.ts";
import { createArguments } from "../../../mngr/arguments.ts";
import { type Created, createdFrom, errorLine, reasonOf } from "../../../mngr/client.ts";
import { envFileText } from "../../../mngr/env-file.ts";
import { writeProjectSettings } from "../../../mngr/project-folder.ts";
import { projectTables } from "../../../mngr/project-tables.ts";
import { fallbackIdentity, gitIn, worktreeOf } from "../../../source/git.ts";
import { isAlive } from "../../../supervision/process.ts";
import type { JobSpec } from "../job.ts";
import type { RunContext } from "./context.ts";
import { deleteBranchIfEmpty, stopFollowing } from "./git.ts";
import { branchOf, type RunFiles, type RunPlan, runFiles } from "./plan.ts";
import { prepareRepository, repositoryFolder } from "./repository.ts";
import { baseCommitOf, baseRefOf, noteStart } from "./start.ts";

/** `mngr create` waits for a conversational agent to be ready and to take its message; longer than this it hangs. */
const createPatienceMs = 600_000;

const runCommand = join(dirname(fileURLToPath(import.meta.url)), "run-command.sh");

/** No agent could be made; the message says why. Nothing of it is left. */
export class CreateError extends Error {}

export interface CreatedAgent {
  readonly agentId: string;
  /** The commit that its branch started from; undefined when that is not known. */
  readonly base: string | undefined;
  readonly worktree: string | undefined;
}

/** True when the agent's command runs in our wrapper, and so leaves its exit status. */
export function leavesExitStatus({ agent }: JobSpec): boolean {
  return !agent.isConversational && (agent.script !== undefined || agent.mngrType === "command");
}

/**
 * Makes the agent of a run, once: after a crash it finds out what became of the `mngr create` that was under way.
 * @throws CreateError
 */
export async function createAgent(plan: RunPlan, context: RunContext): Promise<CreatedAgent> {
  const files = runFiles(context.paths, plan.spec.name, plan.id);
  try {
    if (existsSync(files.createOutput)) await endOfOrphan(files);
    else await endOf(await startCreate(plan, files, context));
  } finally {
    rmSync(files.env, { force: true });
  }
  const created = createdFrom(readTextIfAny(files.createOutput) ?? "");
  const folder = repositoryFolder(context.paths, plan.spec.repo);
  const git = gitIn(folder, context.env);
  const branch = branchOf(plan.id);
  if (created?.kind === "created") {
    await stopFollowing(git, branch, baseRefOf(files));
    return { agentId: created.agentId, base: baseCommitOf(files), worktree: await worktreeOf(git, branch, plan.id) };
  }
  await clearAway(plan, created, context);
  const log = readTextIfAny(files.createLog) ?? "";
  const message = created?.message ?? (log.trim() === "" ? "it was interrupted" : errorLine(log));
  throw new CreateError(`mngr create failed: ${reasonOf(message)}`);
}

async function startCreate(plan: RunPlan, files: RunFiles, context: RunContext): Promise<ChildProcess> {
  const { spec } = plan;
  const mngr = context.mngr(spec.mngrProfile);
  await context.checkMngrVersion(mngr);
  const secrets = readSecrets(context.paths, spec.name);
  const repository = await prepareRepository(context.paths, spec, context.env, secrets["GITHUB_TOKEN"]);
  const identity = await fallbackIdentity(gitIn(repository.folder, context.env), spec.name);
  const { GITHUB_TOKEN: token } = { ...spec.agent.env, ...secrets };
  const gh = token === undefined ? {} : { GH_TOKEN: token };
  ensureFolder(dirname(files.env));
  await noteStart(files, repository, context.env);
  writePrivateFile(files.env, envFileText({ ...identity, ...gh, ...spec.agent.env, ...secrets }));
  writePrivateFile(files.secretNames, Object.keys({ ...gh, ...secrets }).join("\n"));
  if (spec.agent.message !== undefined) writePrivateFile(files.prompt, spec.agent.message);
  if (spec.agent.script !== undefined) writePrivateFile(files.script, spec.agent.script);
  const args = createArguments({
    agent: plan.id,
    type: spec.agent.mngrType,
    base: repository.base.name,
    branch: branchOf(plan.id),
    labels: labelsOf(plan, context.installation),
    envFile: files.env,
    messageFile: spec.agent.message === undefined ? undefined : files.prompt,
    template: spec.agent.template,
    settings: spec.agent.settings,
    buildArgs: spec.agent.buildArgs,
    agentArgs: agentArgs(spec, files),
  });
  ensureFolder(files.project);
  writeProjectSettings(files.project, projectTables(repository.folder, context.env));
  const output = {
    cwd: repository.folder,
    project: files.project,
    stdout: files.createOutput,
    stderr: files.createLog,
  };
  const child = await mngr.startCreate(args, output);
  writePrivateFile(files.createPid, String(child.pid));
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

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => killGroup(child.pid ?? 0), createPatienceMs);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** The `mngr create` of a scheduler that crashed goes on without it. */
async function endOfOrphan(files: RunFiles): Promise<void> {
  const pid = Number(readTextIfAny(files.createPid));
  const until = statSync(files.createOutput).mtimeMs + createPatienceMs;
  while (createdFrom(readTextIfAny(files.createOutput) ?? "") === undefined) {
    // Killed between starting mngr and writing down its pid, there is only mngr's own word to wait for.
    const isOver = pid > 0 ? !isAlive(pid) : Date.now() > until - createPatienceMs + 60_000;
    if (isOver) return;
    if (Date.now() > until) return killGroup(pid);
    await sleep(1000);
  }
}

/** A failed create may leave an agent that nothing can start again: it is destroyed when it is ours. */
async function clearAway(plan: RunPlan, created: Created | undefined, context: RunContext): Promise<void> {
  if (created?.kind === "error" && created.errorClass === "DuplicateAgentNameError") return;
  const mngr = context.mngr(plan.spec.mngrProfile);
  try {
    const labels = Object.entries(labelsOf(plan, context.installation));
    const listed = await mngr.list();
    const agents = listed.agents.filter((agent) => labels.every(([key, value]) => agent.labels[key] === value));
    if (agents.length > 0) await mngr.destroy(agents.map(({ id }) => id));
    // Somebody else's branch of that name made the create fail: it is not ours to delete.
    if (created?.kind === "error" && /already exists/.test(created.message)) return;
    const git = gitIn(repositoryFolder(context.paths, plan.spec.repo), context.env);
    // git leaves the work tree of which a hook said no.
    const leftover = await worktreeOf(git, branchOf(plan.id), plan.id);
    if (leftover !== undefined) await git.run(["worktree", "remove", "--force", "--force", "--", leftover]);
    await deleteBranchIfEmpty(git, branchOf(plan.id));
  } catch (error) {
    context.log(
      `${plan.id}: could not clear away what its create left: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** Of a process that leads a group; 0 would be our own group. */
function killGroup(pid: number): void {
  if (!(pid > 0)) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended just now.
  }
}
