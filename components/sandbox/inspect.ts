import { changelingCommand } from "../lib/own-commands.ts";
import type { Inspection } from "../stack/inspection.ts";
import type { DeclaredSandbox } from "./declared.ts";
import { diagnoseSandboxes } from "./inspect/doctor.ts";
import { endPageLogins } from "./inspect/end-logins.ts";
import { type ListedSandboxChangeling, sandboxListing, sandboxLogs } from "./inspect/list.ts";
import { describeSandbox } from "./inspect/plan.ts";
import { installedSandboxes, readSandbox } from "./installed.ts";

export const sandboxInspection: Inspection<ListedSandboxChangeling, DeclaredSandbox> = {
  list: sandboxListing,
  logs: sandboxLogs,
  endLogins: endPageLogins,
  checked: "sandboxes",
  diagnose: diagnoseSandboxes,
  describe: describeSandbox,
  async introduction({ paths }) {
    const first = installedSandboxes(paths).find((name) => readSandbox(paths, name)?.enabled === true);
    if (first === undefined) return [];
    const cli = `${changelingCommand()} sandbox`;
    return [
      `${first} starts a sandbox when you ask for one.
  start   ${cli} start ${first}
  prompt  ${cli} send ${first} "List files in repository"`,
    ];
  },
};
