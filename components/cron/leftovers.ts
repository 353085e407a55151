import type { InstallationPaths } from "../host/installation-paths.ts";
import { profileMngr } from "../mngr/profile.ts";
import type { Leftovers } from "../stack/deployment.ts";
import { readRuns } from "./local/records.ts";
import { readPlan, runFiles } from "./local/runs/plan.ts";
import { schedulerState } from "./local/state.ts";
import { stopScheduler } from "./local/supervise.ts";

export const cronLeftovers: Leftovers = {
  running: (paths) => (schedulerState(paths).alive ? ["its scheduler runs"] : []),
  keptAgents(paths, repositories) {
    const agents = keptAgents(paths);
    return () => destroyIn(agents, new Set(repositories));
  },
  async remove(installation) {
    await stopScheduler(installation, { endRuns: true });
    return [];
  },
};

interface KeptAgent {
  readonly agentId: string;
  readonly mngrProfile: string | undefined;
  readonly repo: string | undefined;
  readonly worktree: string | undefined;
}

function keptAgents(paths: InstallationPaths): KeptAgent[] {
  return readRuns(paths).flatMap(({ id, changeling, agentId, agentIsKept, repo, worktree }) => {
    if (agentId === undefined || !agentIsKept) return [];
    const mngrProfile = readPlan(runFiles(paths, changeling, id))?.spec.mngrProfile;
    return [{ agentId, mngrProfile, repo, worktree }];
  });
}

async function destroyIn(kept: readonly KeptAgent[], repositories: ReadonlySet<string>): Promise<string[]> {
  const worktrees: string[] = [];
  for (const [profile, ofProfile] of Map.groupBy(kept, ({ mngrProfile }) => mngrProfile)) {
    const mngr = profileMngr(profile, process.env);
    const { agents } = await mngr.list();
    const existing = ofProfile.filter(({ agentId }) => agents.some(({ id }) => id === agentId));
    const isDestroyed = ({ repo }: KeptAgent) => repo !== undefined && repositories.has(repo);
    const destroyed = existing.filter(isDestroyed);
    if (destroyed.length > 0) await mngr.destroy(destroyed.map(({ agentId }) => agentId));
    worktrees.push(...existing.flatMap((agent) => (isDestroyed(agent) ? [] : (agent.worktree ?? []))));
  }
  return worktrees;
}
