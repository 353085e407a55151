import type { Inspection } from "../stack/inspection.ts";
import type { DeclaredSeedAgent } from "./declared.ts";
import { diagnoseSeedAgents } from "./inspect/doctor.ts";
import { followSeedAgent, type ListedSeedAgent, seedAgentListing, seedAgentLogs } from "./inspect/list.ts";
import { describeSeedAgent } from "./inspect/plan.ts";

export const seedAgentInspection: Inspection<ListedSeedAgent, DeclaredSeedAgent> = {
  list: seedAgentListing,
  logs: seedAgentLogs,
  follow: followSeedAgent,
  checked: "seed agents",
  diagnose: diagnoseSeedAgents,
  describe: describeSeedAgent,
};
