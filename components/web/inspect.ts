import type { Inspection } from "../stack/inspection.ts";
import { readRecords } from "./agent/record.ts";
import type { DeclaredWeb } from "./declared.ts";
import type { ForwardingSettings } from "./forwarding/declared.ts";
import { appliedText, appliedWeb } from "./inspect/applied.ts";
import { diagnoseWeb } from "./inspect/doctor.ts";
import { endForwardingLogins } from "./inspect/end-logins.ts";
import { deployedWeb, type ListedWeb, webListing } from "./inspect/list.ts";
import { followWebLogs, webLogs } from "./inspect/logs.ts";
import { describeWeb } from "./inspect/plan.ts";

export const webInspection: Inspection<ListedWeb, DeclaredWeb, ForwardingSettings> = {
  list: webListing,
  logs: webLogs,
  follow: followWebLogs,
  endLogins: endForwardingLogins,
  checked: "web agents",
  diagnose: diagnoseWeb,
  describe: describeWeb,
  uses: (paths) => ({
    folders: [],
    mngrProfiles: readRecords(paths).flatMap(({ mngrProfile }) => mngrProfile ?? []),
  }),
  introduction: (stack) =>
    Promise.all(deployedWeb(stack).map(async ({ name }) => appliedText(await appliedWeb(stack, name)))),
};
