import { GitError, gitIn } from "../../git/git.ts";
import { upCommand } from "../../lib/own-commands.ts";
import type { SshAccess } from "../../mngr/client.ts";
import type { WebRecord } from "../agent/record.ts";
import type { Deployed, PlacedAgent } from "../life-cycle/agent-host.ts";
import { type Merged, MergeRefused, refusedByLocalChanges, sinceLastStart } from "../repo/merge.ts";
import { prepareRepo } from "../repo/repo.ts";
import { isolated } from "./adopt-repo.ts";
import { scriptInMachine } from "./in-machine.ts";
import type { MachineUpdate } from "./machine-web.ts";
import { addressOf, destroyMachine, failure, sshOf, started } from "./machines.ts";
import { newHostName } from "./records.ts";
import { rollBackOn } from "./roll-back.ts";
import { startOnMachine } from "./start-on-machine.ts";
import { downloadRepo, fetchRepo, sendCommits, withoutLfs, withTemporaryRepo } from "./temporary-repo.ts";

/** Limit of attempts; a retry is needed if the agent has committed in the meantime. */
const attempts = 5;

/**
 * Merges the declared state into an agent's repo and provisions the agent again: on its machine, or on a new one if
 * another machine is declared.
 *
 * @throws MergeRefused if its commits or changes conflict, and it runs as before; another error if it does not come up,
 * and the previous version runs again
 */
export async function updateMachine(update: MachineUpdate, agent: PlacedAgent): Promise<Deployed> {
  const there = sshOf(agent) === undefined ? await started(agent, update.web) : agent;
  const ssh = sshOf(there);
  if (ssh === undefined) {
    const listing = `mngr list --provider ${update.web.provider}`;
    throw new Error(`mngr can't reach the machine of ${update.spec.name} from here; see: ${listing}`);
  }
  return await merged(update, there, ssh, 1);
}

function merged(update: MachineUpdate, agent: PlacedAgent, ssh: SshAccess, attempt: number): Promise<Deployed> {
  const { spec, record, secrets, web } = update;
  return withTemporaryRepo(async (repo) => {
    await fetchRepo(repo, spec, ssh, web);
    const now = await prepared(update, repo, agent, ssh);
    const since = sinceLastStart(record, now);
    const noted: WebRecord = { ...record, merged: since };
    if (now.before !== now.after) {
      await web.records.write(noted);
      await sendCommits(repo, now.after, ssh, web.env);
      if (!(await isFastForwarded(now, agent, update))) {
        if (attempt === attempts)
          throw new MergeRefused(
            `the agent of ${spec.name} keeps committing, so the update could not be merged; run again: ${upCommand()}`,
          );
        return await merged(update, agent, ssh, attempt + 1);
      }
    }
    const whole = { ...update, record: noted };
    if (needsAnotherMachine(update)) return await replaced(whole, agent, repo, since);
    const host = agent.host.name;
    const snapshot = await web.mngr.snapshot(addressOf(agent));
    try {
      const start = { spec, record, repo, host, isNew: false, secrets };
      return { ...(await startOnMachine(start, web, async () => {})), host };
    } catch (error) {
      const address = addressOf(agent);
      throw await failure(error, { spec, secrets, web, address }, () =>
        rollBackOn(agent, { update: whole, merged: since, repo, snapshot }),
      );
    }
  });
}

/** Merges the declared state in the temporary repo, so that conflicts show only there. */
async function prepared(
  { spec, secrets, web }: MachineUpdate,
  repo: string,
  agent: PlacedAgent,
  ssh: SshAccess,
): Promise<Merged> {
  try {
    return await prepareRepo(repo, spec, {
      env: withoutLfs(web.env),
      token: secrets["GITHUB_TOKEN"],
      onMove: () => {},
    });
  } catch (error) {
    if (!(error instanceof MergeRefused)) throw error;
    // Makes the commits to merge by hand available in the agent's repo.
    await sendCommits(repo, undefined, ssh, web.env);
    throw refused(error, repo, agent);
  }
}

function refused(error: MergeRefused, repo: string, agent: PlacedAgent): MergeRefused {
  const message = error.message.replaceAll(`git -C ${repo} `, "git ");
  return new MergeRefused(`${message} (open its repo with: mngr connect ${addressOf(agent)})`);
}

/**
 * @returns false if the agent has committed in the meantime
 * @throws MergeRefused
 */
async function isFastForwarded(
  { before, after }: Merged,
  agent: PlacedAgent,
  { web }: MachineUpdate,
): Promise<boolean> {
  const { results, failed } = await web.mngr.exec(
    [addressOf(agent)],
    scriptInMachine("fast-forward.sh", [before, after]),
  );
  const [result] = results;
  if (result === undefined) throw new Error(`${addressOf(agent)} could not be reached: ${failed[0]?.error}`);
  if (result.success) return result.stdout.trim() !== "moved";
  throw refused(refusedByLocalChanges("", new GitError("git merge", result.stderr)), "", agent);
}

/** These settings only apply when a machine is created. */
function needsAnotherMachine({ spec, record: { applied } }: MachineUpdate): boolean {
  if (applied === undefined) return false;
  return spec.data !== applied.data || JSON.stringify(spec.buildArgs) !== JSON.stringify(applied.buildArgs);
}

async function replaced(update: MachineUpdate, agent: PlacedAgent, repo: string, since: Merged): Promise<Deployed> {
  const { spec, record, web } = update;
  await refuseUncommitted(agent, update);
  await gitIn(repo, isolated(web.env)).run(["checkout", "--quiet", "-B", spec.branch, since.after]);
  await web.machines.stop(agent);
  const made = await newMachine(update, repo, async () =>
    rollBackOn(await started(agent, web), { update: { ...update, record }, merged: since, repo, snapshot: undefined }),
  );
  await destroyMachine(agent.host.name, web);
  return made;
}

/** The next machine starts from commits, so uncommitted changes would be lost. */
async function refuseUncommitted(agent: PlacedAgent, { spec, web }: MachineUpdate): Promise<void> {
  const { results } = await web.mngr.exec([addressOf(agent)], "git status --porcelain --untracked-files=no");
  const files = (results[0]?.stdout ?? "").split("\n").flatMap((line) => (line === "" ? [] : [line.slice(3)]));
  if (files.length === 0) return;
  throw new MergeRefused(
    `${spec.name} needs another machine, but its agent has uncommitted changes in ${files.join(", ")}; commit them there: ` +
      `mngr connect ${addressOf(agent)}, then: ${upCommand()}`,
  );
}

/**
 * Creates a machine for an agent that has none. Its repo is new, or the one on the last machine's volume with the
 * declared state merged in.
 *
 * @throws if it does not come up; no machine is left then
 */
export function createMachine(update: MachineUpdate): Promise<Deployed> {
  const { spec, record, web, secrets } = update;
  return withTemporaryRepo(async (repo) => {
    // A machine that mngr has forgotten would keep working on the same volumes.
    await web.machines.sweep(spec.name);
    await downloadRepo(repo, spec, record, web);
    await prepareRepo(repo, spec, { env: withoutLfs(web.env), token: secrets["GITHUB_TOKEN"], onMove: () => {} });
    return await newMachine(update, repo, async () => "its machine was removed");
  });
}

/**
 * @param repo becomes the agent's folder
 * @param rollBack called when the agent did not start and its machine is destroyed; returns what runs now
 */
async function newMachine(
  { spec, record, secrets, web }: MachineUpdate,
  repo: string,
  rollBack: () => Promise<string>,
): Promise<Deployed> {
  const { machines, records } = web;
  for (const volume of [record.data, record.repo]) await machines.ensureVolume(volume, spec.name);
  const host = newHostName(spec);
  let address: string | undefined;
  try {
    const start = { spec, record, repo, host, isNew: true, secrets };
    const started = await startOnMachine(start, web, async (hostAddress) => {
      address = hostAddress;
      await records.write({ ...record, host, hostAddress });
    });
    return { ...started, host };
  } catch (error) {
    throw await failure(error, { spec, secrets, web, address }, async () => {
      // Nothing else removes a machine that was created but never served.
      await destroyMachine(host, web);
      await records.write(record);
      return await rollBack();
    });
  }
}
