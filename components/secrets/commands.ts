import type { CommandTable } from "../command-script.ts";

/** By their names in a stack's state, which never change. `scripts/command.ts` finds this file. */
export const commands = {
  "local-secrets": () => import("./local.command.ts"),
} satisfies CommandTable;
