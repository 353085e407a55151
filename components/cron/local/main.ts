/** The scheduler of one installation: `node components/cron/local/main.ts <installation id>`. Its supervisor starts it. */

import { join } from "node:path";
import { installationPaths } from "../../host/installation-paths.ts";
import { openLog } from "../../host/log.ts";
import { Scheduler } from "./scheduler.ts";
import { becomeScheduler } from "./state.ts";

const installation = process.argv[2];
// All imports are compiled by now. Node writes them to its cache on exit.
if (process.argv.includes("--compile")) process.exit(0);
if (installation === undefined || !/^[A-Za-z0-9][\w.-]*$/.test(installation)) {
  process.stderr.write("usage: node components/cron/local/main.ts <installation id>\n");
  process.exit(2);
}

process.umask(0o077);
const paths = installationPaths(installation);
// After exit code 0, its supervisor does not restart it.
if (!becomeScheduler(paths)) process.exit(0);
const log = openLog(join(paths.scheduler, "scheduler.log"));

process.on("uncaughtException", (error) => {
  log(`crashed: ${error.stack ?? error.message}`);
  process.exit(1);
});

const exit = (reason: string) => {
  log(`ended: ${reason}`);
  scheduler.stop();
  process.exit(0);
};
const scheduler = new Scheduler(paths, process.env, log, exit);
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => exit(signal));
scheduler.start();
