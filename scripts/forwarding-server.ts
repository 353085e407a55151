/** Starts or removes the forwarding server of a stack's web changelings: the `forwarding` Command. */
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { homedir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { removeEmptyFolders } from "../components/empty-folders.ts";
import { type InstallationPaths, installationPaths } from "../components/installation-paths.ts";
import { isModalVariable } from "../components/modal/environment.ts";
import { lastWords } from "../components/supervision/supervise.ts";
import { adminRequest } from "../components/web/forwarding/admin-client.ts";
import { configOfEnvironment, forwardingEnvironment } from "../components/web/forwarding/forwarding-environment.ts";
import { writeForwardingConfig } from "../components/web/forwarding/installed-config.ts";
import { readConfig } from "../components/web/forwarding/program/config.ts";
import { listen } from "../components/web/forwarding/program/listen.ts";
import { forwardingState } from "../components/web/forwarding/state.ts";
import {
  forwardingDaemon,
  startForwardingServer,
  stopForwardingServer,
} from "../components/web/forwarding/supervise.ts";
import { runScript } from "./script.ts";

/** How long it may take until it answers, in milliseconds. */
const patienceMs = 20_000;
const pauseMs = 100;

const status = z.object({ port: z.number(), url: z.string(), pid: z.number() });
type Status = z.infer<typeof status>;

await runScript({
  variables: forwardingEnvironment,
  keeps: isModalVariable,
  timeoutSeconds: 120,
  async apply(variables) {
    const installation = variables.INSTALLATION;
    const paths = installationPaths(installation);
    const config = configOfEnvironment(variables);
    // Tried beforehand: the old one goes on running when the new one could not.
    if (portInUse(paths) !== config.port) await tryPort(config);
    writeForwardingConfig(paths, config);
    await stopForwardingServer(installation);
    const { pid, supervisor } = await startForwardingServer(installation);
    const { url } = await answering(installation);
    process.stderr.write(`forwarding server running at ${url} (pid ${pid}, ${supervisor})\n`);
    return { forwarding: "running", url };
  },
  async remove({ INSTALLATION: installation }) {
    await stopForwardingServer(installation);
    const paths = installationPaths(installation);
    rmSync(paths.forwarding, { recursive: true, force: true });
    removeEmptyFolders(paths);
    return { forwarding: "removed" };
  },
});

/** @returns undefined when none runs, or none with a config that can be read */
function portInUse(paths: InstallationPaths): number | undefined {
  try {
    return forwardingState(paths).alive ? readConfig(paths.forwarding).port : undefined;
  } catch {
    return undefined;
  }
}

/** @throws when it can't be listened on; the error says what to do */
async function tryPort(config: { host: string; port: number }): Promise<void> {
  const server = createServer();
  const listening = await listen(server, config);
  listening.close();
  await new Promise((resolve) => server.close(resolve));
}

/** That its process runs says little: it is there when it answers. @throws with its last words when it does not */
async function answering(installation: string): Promise<Status> {
  const folder = installationPaths(installation).forwarding;
  for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(pauseMs)) {
    try {
      return status.parse(await adminRequest(folder, { op: "status" }));
    } catch {
      // Its socket is not there yet; or it crashed, and is started again.
    }
  }
  const words = lastWords(forwardingDaemon(installation, homedir()));
  throw new Error(`the forwarding server does not answer after ${patienceMs / 1000} s: ${words}`);
}
