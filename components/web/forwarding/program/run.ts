import type { InstallationPaths } from "../../../host/installation-paths.ts";
import type { Log } from "../../../host/log.ts";
import { printToStderr } from "../../../host/supervision/print-to-stderr.ts";
import { startAdmin } from "./admin.ts";
import { Audit } from "./audit/audit.ts";
import { openAccess } from "./auth/access.ts";
import { TrustedProxies } from "./client-address.ts";
import type { ForwardingConfig } from "./config.ts";
import { discoverAgents } from "./discovery/live-agents.ts";
import { cliOf } from "./pages/command.ts";
import { problemPage } from "./pages/problem-page.ts";
import { createProxy } from "./proxy/proxy.ts";
import { createForwardingServer } from "./server.ts";

export interface RunOptions {
  readonly paths: InstallationPaths;
  /** Only the server uses this folder (mode 0700): it holds its key, codes, logins and admin socket. */
  readonly folder: string;
  /** @throws if there is no usable config */
  readonly config: () => ForwardingConfig;
  readonly log: Log;
}

/** Runs the server until it is stopped. A crash exits with 1, so that the supervisor restarts it. */
export async function runForwardingServer({ paths, folder, config: configOf, log }: RunOptions): Promise<void> {
  const crash = (event: string, message: string): never => {
    log(`${event}: ${message}`);
    printToStderr(`error: ${message}`);
    process.exit(1);
  };
  process.on("uncaughtException", (error) => crash("crashed", error.stack ?? error.message));
  try {
    const config = configOf();
    const isSecure = config.publicUrl !== null;
    const { codeTtlSeconds, cookieTtlSeconds } = config;
    const hasAgentHosts = config.routing === "host";
    const access = openAccess({ folder, codeTtlSeconds, cookieTtlSeconds, isSecure, hasAgentHosts, log });
    const reserved = { port: config.port, folder: paths.root };
    const agents = discoverAgents({ paths, folder, env: process.env, log, reserved });
    const proxy = createProxy(agents, {
      ...{ page: (problem) => problemPage(problem, cliOf(config)), log },
      headersTimeoutSeconds: config.responseTimeoutSeconds,
    });
    const server = await createForwardingServer({
      ...{ config, access, agents, proxy, log },
      audit: new Audit(folder, new TrustedProxies(config.trustedProxies ?? [])),
    });
    const admin = await startAdmin({ folder, server, agents, log });
    log(`listening on port ${server.port} of ${config.host}, as ${server.url}`);

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
}
