import type { CommandTable } from "../command-script.ts";

/** Keyed by the names in a stack's state, which never change. `scripts/command.ts` finds this file. */
export const commands = {
  "seed-agent": () => import("./seed-agent.command.ts"),
  "seed-agent-credentials": () => import("./credentials.command.ts"),
} satisfies CommandTable;
