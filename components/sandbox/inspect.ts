import type { Inspection } from "../stack/inspection.ts";
import type { DeclaredSandbox } from "./declared.ts";
import { diagnoseSandboxes } from "./inspect/doctor.ts";
import { type ListedSandboxChangeling, sandboxListing, sandboxLogs } from "./inspect/list.ts";
import { describeSandbox } from "./inspect/plan.ts";

export const sandboxInspection: Inspection<ListedSandboxChangeling, DeclaredSandbox> = {
  list: sandboxListing,
  logs: sandboxLogs,
  checked: "sandboxes",
  diagnose: diagnoseSandboxes,
  describe: describeSandbox,
};
