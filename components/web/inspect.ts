import type { Inspection } from "../stack/inspection.ts";
import { type ListedWeb, webListing } from "./inspect/list.ts";
import { followWebLogs, webLogs } from "./inspect/logs.ts";
import { describeWeb } from "./inspect/plan.ts";

export const webInspection: Inspection<ListedWeb> = {
  list: webListing,
  logs: webLogs,
  follow: followWebLogs,
  describe: describeWeb,
};
