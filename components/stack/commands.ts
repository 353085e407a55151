import type { CommandTable } from "../command-script.ts";

/** By their names in a stack's state, which never change. `scripts/command.ts` finds this file. */
export const commands = {
  "modal-home": () => import("./modal-home.command.ts"),
} satisfies CommandTable;
