/** Runs the forwarding server of one installation: `node components/web/forwarding/program/main.ts <installation id>`. */

import { join } from "node:path";
import { installationPaths } from "../../../host/installation-paths.ts";
import { openLog } from "../../../host/log.ts";
import { becomeForwardingServer } from "../state.ts";
import { readConfig } from "./config.ts";
import { runForwardingServer } from "./run.ts";

const installation = process.argv[2];
// All imports are compiled now, and Node writes them to its cache on exit.
if (process.argv.includes("--compile")) process.exit(0);
if (installation === undefined || !/^[A-Za-z0-9][\w.-]*$/.test(installation)) {
  process.stderr.write("usage: node components/web/forwarding/program/main.ts <installation id>\n");
  process.exit(2);
}

process.umask(0o077);
const paths = installationPaths(installation);
const folder = paths.forwarding;
// Its supervisor does not restart it after an exit with 0.
if (!becomeForwardingServer(paths)) process.exit(0);
await runForwardingServer({
  ...{ paths, folder, config: () => readConfig(folder) },
  log: openLog(join(folder, "forwarding.log")),
});
