/**
 * The forwarding server in its container. It is configured by its environment and keeps its files on its volume. Every
 * exit other than a requested stop is a crash, and Docker restarts it.
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
// Two servers with the same key and files would overwrite each other's codes.
if (!takeLock(join(stateFolder, "lock"))) {
  process.stderr.write("error: another container has the volume of this forwarding server; remove that one\n");
  process.exit(1);
}
// Docker may have stopped reading the output.
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
