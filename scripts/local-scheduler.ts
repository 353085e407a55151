/** Starts or removes the scheduler of a stack's local cron changelings: the `scheduler` Command. */
import { rmSync } from "node:fs";
import { hostname } from "node:os";
import * as z from "zod/mini";
import { releaseAllRunIds } from "../components/cron/local/runs/run-ids.ts";
import { writeSettings } from "../components/cron/local/settings.ts";
import { startScheduler, stopScheduler } from "../components/cron/local/supervise.ts";
import { readClaim, removeEmptyFolders } from "../components/host/claims.ts";
import { installationPaths } from "../components/host/installation-paths.ts";
import { printNote } from "../components/lib/terminal.ts";
import { runScript } from "./script.ts";
import { removeClones } from "./stack/remove-clones.ts";
import { warnOfUnsaved } from "./stack/unsaved-work.ts";

await runScript({
  variables: z.object({ INSTALLATION: z.string(), MAX_RUNS_AT_ONCE: z.optional(z.string()) }),
  timeoutSeconds: 180,
  async apply({ INSTALLATION: installation, MAX_RUNS_AT_ONCE: most }) {
    await stopScheduler(installation, { endRuns: false });
    writeSettings(installationPaths(installation), most === undefined ? undefined : Number(most));
    const { pid, supervisor } = await startScheduler(installation);
    printNote(`scheduler running (pid ${pid}, ${supervisor})\n`);
    // Read by every later update: another machine does not start a second one beside it.
    const machine = readClaim(installationPaths(installation))?.machine;
    return { scheduler: "running", host: hostname(), ...(machine === undefined ? {} : { machine }) };
  },
  async remove({ INSTALLATION: installation }) {
    await stopScheduler(installation, { endRuns: true });
    const paths = installationPaths(installation);
    releaseAllRunIds(paths);
    warnOfUnsaved(paths);
    // The secrets, and what is a web changeling's, have Commands of their own. The history stays: the last job may come
    // back, and nothing else says what its runs did.
    const { jobs, requests, scheduler } = paths;
    for (const own of [jobs, requests, scheduler]) rmSync(own, { recursive: true, force: true });
    for (const repo of removeClones(paths)) {
      printNote(`warning: the branches of earlier runs stay in ${repo}\n`);
    }
    removeEmptyFolders(paths);
    return { scheduler: "removed" };
  },
});
