import type { Inspection } from "../stack/inspection.ts";
import { cronListing, type ListedCron } from "./inspect/list.ts";
import { cronLogs } from "./inspect/logs.ts";
import { describeCron } from "./inspect/plan.ts";

export const cronInspection: Inspection<ListedCron> = {
  list: cronListing,
  logs: cronLogs,
  describe: describeCron,
};
