import type { CommandTable } from "../command-script.ts";

/** By their names in a stack's state, which never change. `scripts/command.ts` finds this file. */
export const commands = {
  "repo-tarball": () => import("./tarball.command.ts"),
  "repo-snapshot": () => import("./snapshot.command.ts"),
} satisfies CommandTable;
