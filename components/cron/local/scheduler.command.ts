/** Starts or removes the scheduler of a stack's local cron changelings: the `scheduler` Command. */
import { rmSync } from "node:fs";
import { hostname } from "node:os";
import * as z from "zod/mini";
import { commandScript } from "../../command-script.ts";
import { readClaim, removeEmptyFolders, requireInstallationHere } from "../../host/claims.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { printNote } from "../../lib/terminal.ts";
import { removeClones } from "./remove-clones.ts";
import { releaseAllRunIds } from "./runs/run-ids.ts";
import { writeSettings } from "./settings.ts";
import { startScheduler, stopScheduler } from "./supervise.ts";
import { warnOfUnsaved } from "./unsaved-work.ts";

export default commandScript({
  variables: z.object({ INSTALLATION: z.string(), MAX_RUNS_AT_ONCE: z.optional(z.string()) }),
  timeoutSeconds: 180,
  async apply({ INSTALLATION: installation, MAX_RUNS_AT_ONCE: most }) {
    await stopScheduler(installation, { endRuns: false });
    writeSettings(installationPaths(installation), most === undefined ? undefined : Number(most));
    const { pid, supervisor } = await startScheduler(installation);
    printNote(`scheduler running (pid ${pid}, kept running by ${supervisor})\n`);
    // Every later update reads it, so that another machine does not start a second scheduler.
    const machine = readClaim(installationPaths(installation))?.machine;
    return { scheduler: "running", host: hostname(), ...(machine === undefined ? {} : { machine }) };
  },
  async remove({ INSTALLATION: installation }) {
    const paths = installationPaths(installation);
    requireInstallationHere(paths);
    await stopScheduler(installation, { endRuns: true });
    releaseAllRunIds(paths);
    await warnOfUnsaved(paths);
    // Secrets and web changelings have Commands of their own. The history is kept, because the last job may be added
    // again, and nothing else records what its runs did.
    const { jobs, requests, scheduler } = paths;
    for (const own of [jobs, requests, scheduler]) rmSync(own, { recursive: true, force: true });
    for (const repo of removeClones(paths)) {
      printNote(`warning: ${repo} is kept, because it contains the branches of earlier runs\n`);
    }
    removeEmptyFolders(paths);
    return { scheduler: "removed" };
  },
});
