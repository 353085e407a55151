import { queueDepth } from "../pipeline/queue-depth.ts";
import type { Status } from "./api.ts";
import type { SeedServerParts } from "./parts.ts";

export async function readStatus(parts: SeedServerParts): Promise<Status> {
  const { settings, live, store, cluster, improve, fence, release } = parts;
  const [paused, queue, budget] = await Promise.all([store.setting("paused"), queueDepth(store), improve?.budget()]);
  const probation = live.probation();
  const problem = live.problem();
  const mode = improve?.mode ?? { name: "off" as const, reason: "this node has no model" };
  return {
    node: cluster.node,
    release,
    active: live.active,
    paused: paused === "true",
    mode: mode.name,
    ...(mode.reason === undefined ? {} : { modeReason: mode.reason }),
    fence,
    store: store.kind,
    queue,
    ...(probation === undefined ? {} : { probation }),
    nodes: [...cluster.view().nodes],
    ...(problem === undefined ? {} : { problem }),
    budget: budget ?? {
      changesToday: 0,
      changesPerDay: settings.SEED_CHANGES_PER_DAY,
      usdToday: 0,
      usdPerDay: settings.SEED_USD_PER_DAY,
    },
  };
}
