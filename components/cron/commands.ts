import type { CommandTable } from "../command-script.ts";

/** The Commands of this kind by the names in a stack's state, which never change. */
export const cronCommands = {
  "local-job": () => import("./local/job.command.ts"),
  "local-scheduler": () => import("./local/scheduler.command.ts"),
  "modal-app": () => import("./modal/app.command.ts"),
  "modal-secret": () => import("./modal/secret.command.ts"),
} satisfies CommandTable;
