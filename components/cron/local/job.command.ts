/** Installs or removes the job of a local cron changeling: the `<name>-job` Command. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { stockChangeling } from "../../../changelings/stock.ts";
import { commandScript } from "../../command-script.ts";
import { requireInstallationHere } from "../../host/claims.ts";
import { type InstallationPaths, installationPaths } from "../../host/installation-paths.ts";
import { removeFile } from "../../host/installed-file.ts";
import { jobEnvironment, jobOf } from "../job-environment.ts";
import { jobPath, writeJob } from "./installed-files.ts";
import { renameHistory } from "./records.ts";
import { requestRemoval } from "./requests.ts";
import { schedulerState } from "./state.ts";
import { warnOfUnsaved } from "./unsaved-work.ts";

export default commandScript({
  variables: jobEnvironment.schema,
  timeoutSeconds: 300,
  async apply(variables) {
    const stock = stockChangeling(variables.agentType);
    const anchors = { project: process.cwd(), home: homedir() };
    const spec = jobOf(variables, { stock, anchors });
    const paths = installationPaths(variables.installation);
    const { renamedFrom: former } = variables;
    if (former !== undefined) {
      await removeJob(paths, former);
      renameHistory(paths, former, spec.name);
    }
    writeJob(paths, spec);
    return { installed: spec.name };
  },
  async remove({ name, installation }) {
    const paths = installationPaths(installation);
    requireInstallationHere(paths);
    await removeJob(paths, name);
    if (schedulerState(paths).alive) await warnOfUnsaved(paths, name);
    return { removed: name };
  },
});

async function removeJob(paths: InstallationPaths, name: string): Promise<void> {
  if (!existsSync(jobPath(paths, name))) return;
  // Without a scheduler nothing can end its runs. The next scheduler finds the job missing, and ends them.
  if (schedulerState(paths).alive) await requestRemoval(paths, name);
  removeFile(jobPath(paths, name));
}
