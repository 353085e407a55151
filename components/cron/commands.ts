import type { CommandTable } from "../command-script.ts";

/** Keyed by the names in a stack's state, which never change. `scripts/command.ts` loads this file. */
export const commands = {
  "local-job": () => import("./local/job.command.ts"),
  "local-scheduler": () => import("./local/scheduler.command.ts"),
  "modal-app": () => import("./modal/app.command.ts"),
  "modal-secret": () => import("./modal/secret.command.ts"),
} satisfies CommandTable;
