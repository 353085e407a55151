import { isAbsolute } from "node:path";
import type { Inspection } from "../stack/inspection.ts";
import type { DeclaredCron } from "./declared.ts";
import { jobDifferences } from "./inspect/differences.ts";
import { diagnoseCron } from "./inspect/doctor.ts";
import { cronListing, type ListedCron } from "./inspect/list.ts";
import { cronLogs } from "./inspect/logs.ts";
import { describeCron } from "./inspect/plan.ts";
import { installedJobs } from "./local/installed-files.ts";
import type { CronSettings } from "./settings.ts";

export const cronInspection: Inspection<ListedCron, DeclaredCron, CronSettings> = {
  list: cronListing,
  logs: cronLogs,
  diagnose: diagnoseCron,
  describe: describeCron,
  differences: jobDifferences,
  uses(paths) {
    const { jobs } = installedJobs(paths);
    return {
      folders: jobs.flatMap(({ repo }) => (isAbsolute(repo) ? [repo] : [])),
      mngrProfiles: jobs.flatMap(({ mngrProfile }) => mngrProfile ?? []),
    };
  },
};
