/** Installs or removes the job of a local cron changeling: the `<name>-job` Command. */
import { homedir } from "node:os";
import { stockChangeling } from "../changelings/stock.ts";
import { jobEnvironment, jobOfEnvironment } from "../components/cron/job-environment.ts";
import { jobPath, removeFile, writeJob } from "../components/cron/local/installed-files.ts";
import { installationPaths } from "../components/cron/local/paths.ts";
import { requestRemoval } from "../components/cron/local/requests.ts";
import { schedulerState } from "../components/cron/local/state.ts";
import { runScript } from "./script.ts";

await runScript({
  variables: jobEnvironment,
  timeoutSeconds: 300,
  async apply(variables) {
    const stock = stockChangeling(variables.AGENT_TYPE);
    const anchors = { project: process.cwd(), home: homedir() };
    const spec = jobOfEnvironment(variables, { stock, anchors });
    writeJob(installationPaths(variables.INSTALLATION), spec);
    return { installed: spec.name };
  },
  async remove({ NAME: name, INSTALLATION: installation }) {
    const paths = installationPaths(installation);
    // Without a scheduler nothing can be running: what it had started ends with its own timeout or is adopted later.
    if (schedulerState(paths).alive) await requestRemoval(paths, name);
    removeFile(jobPath(paths, name));
    return { removed: name };
  },
});
