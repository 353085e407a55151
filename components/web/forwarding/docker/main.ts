/**
 * The forwarding server in its container: all that it is told stands in its environment, all that it keeps on its
 * volume. Every end but the one that it is told to make is a crash, and Docker starts it again.
 */
import { join } from "node:path";
import { ensureFolder } from "../../../host/files.ts";
import { installationPaths } from "../../../host/installation-paths.ts";
import { takeLock } from "../../../host/lock.ts";
import { openLog } from "../../../host/log.ts";
import { configOf, forwardingEnvironment } from "../forwarding-environment.ts";
import { forwardingConfig } from "../program/config.ts";
import { runForwardingServer } from "../program/run.ts";
import { stateFolder } from "./names.ts";

process.umask(0o077);
const environment = forwardingEnvironment.decode(process.env);
ensureFolder(stateFolder);
// Two that sign with one key and write the same files would lose each other's codes.
if (!takeLock(join(stateFolder, "lock"))) {
  process.stderr.write("error: another container has the volume of this forwarding server; remove that one\n");
  process.exit(1);
}
// Docker may have stopped reading it.
process.stdout.on("error", () => {});
const logFile = openLog(join(stateFolder, "forwarding.log"));
await runForwardingServer({
  paths: installationPaths(environment.installation),
  folder: stateFolder,
  config: () => forwardingConfig.parse(configOf(environment)),
  log(event) {
    logFile(event);
    process.stdout.write(`${new Date().toISOString()} ${event}\n`);
  },
});
