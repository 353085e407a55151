import { changelingCommand } from "../lib/own-commands.ts";
import type { Inspection } from "../stack/inspection.ts";
import type { DeclaredSeedAgent } from "./declared.ts";
import { diagnoseSeedAgents } from "./inspect/doctor.ts";
import { followSeedAgent, type ListedSeedAgent, seedAgentListing, seedAgentLogs } from "./inspect/list.ts";
import { describeSeedAgent } from "./inspect/plan.ts";
import { installedSeedAgents, readSeedAgent } from "./installed.ts";

export const seedAgentInspection: Inspection<ListedSeedAgent, DeclaredSeedAgent> = {
  list: seedAgentListing,
  logs: seedAgentLogs,
  follow: followSeedAgent,
  checked: "seed agents",
  diagnose: diagnoseSeedAgents,
  describe: describeSeedAgent,
  async introduction({ paths }) {
    const cli = `${changelingCommand()} seed`;
    return installedSeedAgents(paths).flatMap((name) => {
      const installed = readSeedAgent(paths, name);
      if (installed?.enabled !== true) return [];
      return [
        `${name} runs${installed.url === undefined ? "" : ` at ${installed.url}`}.
  status  ${cli} status ${name}
  change  ${cli} checkout ${name} ./${name}, edit it, then: ${cli} submit ${name} ./${name} --summary "…" --wait`,
      ];
    });
  },
};
