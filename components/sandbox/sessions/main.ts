/** The session service of one installation: `node components/sandbox/sessions/main.ts <installation id>`. */

import { join } from "node:path";
import { installationPaths } from "../../host/installation-paths.ts";
import { openLog } from "../../host/log.ts";
import { printToStderr } from "../../host/supervision/print-to-stderr.ts";
import { messageOf } from "../../lib/as-error.ts";
import { readSecrets } from "../../secrets/installed.ts";
import { readSandbox } from "../installed.ts";
import { sandboxManager } from "../manager.ts";
import { removeOrphans } from "../orphans.ts";
import { openProvider } from "../providers.ts";
import { sessionsFolder } from "./folder.ts";
import { startSessionService } from "./runner/run.ts";
import { becomeSessionService } from "./state.ts";

const sweepMs = 3_600_000;
const installation = process.argv[2];
// All imports are compiled by now, and Node writes them to its cache on exit.
if (process.argv.includes("--compile")) process.exit(0);
if (installation === undefined || !/^[A-Za-z0-9][\w.-]*$/.test(installation)) {
  process.stderr.write("usage: node components/sandbox/sessions/main.ts <installation id>\n");
  process.exit(2);
}

process.umask(0o077);
const paths = installationPaths(installation);
// The supervisor does not restart it after exit code 0.
if (!becomeSessionService(paths)) process.exit(0);
const folder = sessionsFolder(paths);
const log = openLog(join(folder, "sessions.log"));
const crash = (error: unknown): never => {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log(`crashed: ${reason}`);
  printToStderr(`error: ${reason}`);
  process.exit(1);
};
process.on("uncaughtException", crash);
process.on("unhandledRejection", crash);

const context = { installation, sandboxes: paths.sandboxes };
const stop = await startSessionService({
  folder,
  log,
  manager: sandboxManager({ installation, provider: (name) => openProvider(name, context) }),
  changeling: (name) => {
    const installed = readSandbox(paths, name);
    if (installed === undefined) throw new Error(`there is no sandbox changeling ${name}`);
    if (!installed.enabled) throw new Error(`${name} is disabled in the fleet file`);
    return { spec: installed.spec, warmSnapshot: installed.snapshot };
  },
  secrets: (name) => readSecrets(paths, name),
}).catch(crash);

/** Ends sandboxes that a killed service, or a killed `up`, has left behind. */
const sweep = () =>
  removeOrphans(installation, paths, { provenOnly: true }).then(
    (ids) => ids.length > 0 && log(`terminated sandboxes that no session has: ${ids.join(", ")}`),
    (error: unknown) => log(`the search for orphaned sandboxes failed: ${messageOf(error)}`),
  );
setInterval(sweep, sweepMs).unref();
void sweep();

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  process.once(signal, () => {
    log(`ended: ${signal}`);
    void stop().finally(() => process.exit(0));
  });
}
