/** The forwarding server of one installation: `node components/web/forwarding/program/main.ts <installation id>`. */

import { join } from "node:path";
import { installationPaths } from "../../../installation-paths.ts";
import { openLog } from "../../../supervision/log.ts";
import { becomeForwardingServer } from "../state.ts";
import { startAdmin } from "./admin.ts";
import { openAccess } from "./auth/access.ts";
import { readConfig } from "./config.ts";
import { discoverAgents } from "./discovery/live-agents.ts";
import { troublePage } from "./pages/agent-trouble.ts";
import { createProxy } from "./proxy/proxy.ts";
import { createForwardingServer } from "./server.ts";

const installation = process.argv[2];
// All that it imports is now compiled, and on the way out Node writes it to its cache.
if (process.argv.includes("--compile")) process.exit(0);
if (installation === undefined || !/^[A-Za-z0-9][\w.-]*$/.test(installation)) {
  process.stderr.write("usage: node components/web/forwarding/program/main.ts <installation id>\n");
  process.exit(2);
}

process.umask(0o077);
const paths = installationPaths(installation);
const folder = paths.forwarding;
// Its supervisor starts no other after an exit with 0.
if (!becomeForwardingServer(paths)) process.exit(0);
const log = openLog(join(folder, "forwarding.log"));

const crash = (reason: string, said: string): never => {
  log(`${reason}: ${said}`);
  process.stderr.write(`error: ${said}\n`);
  process.exit(1);
};
process.on("uncaughtException", (error) => crash("crashed", error.stack ?? error.message));

try {
  const config = readConfig(folder);
  const isSecure = config.publicUrl !== null;
  const { codeTtlSeconds, cookieTtlSeconds } = config;
  const access = openAccess({ folder, codeTtlSeconds, cookieTtlSeconds, isSecure, log });
  const agents = discoverAgents({ paths, env: process.env, log });
  const proxy = createProxy(agents, { page: troublePage, log });
  const server = await createForwardingServer({ config, access, agents, proxy, log });
  const admin = await startAdmin({ folder, server, agents, log });
  log(`listens on port ${server.port} of ${config.host}, as ${server.url}`);

  const end = async (signal: string) => {
    log(`ended: ${signal}`);
    admin.close();
    agents.stop();
    await server.close();
    proxy.stop();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => void end(signal));
} catch (error) {
  crash("did not start", error instanceof Error ? error.message : String(error));
}
