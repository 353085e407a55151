import type { CommandTable } from "../command-script.ts";

/** Keyed by the names in a stack's state, which never change. `scripts/command.ts` finds this file. */
export const commands = {
  sandbox: () => import("./sandbox.command.ts"),
  "sandbox-sessions": () => import("./sessions/server.command.ts"),
  "sandbox-sessions-worker": () => import("./sessions/cloudflare/worker.command.ts"),
} satisfies CommandTable;
