/** Starts or removes the session service of a stack's sandbox changelings: the `sandbox-sessions` Command. */
import { homedir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { commandScript } from "../../command-script.ts";
import { isDockerVariable } from "../../docker/run-docker.ts";
import { removeEmptyFolders, requireInstallationHere } from "../../host/claims.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { logTail } from "../../host/supervision/supervise.ts";
import { printNote } from "../../lib/terminal.ts";
import { isModalVariable } from "../../modal/environment.ts";
import { removeAllButVolumes } from "../leftovers.ts";
import { writePageSettings } from "../page/settings.ts";
import { openSessions } from "./client.ts";
import { forgetDeployed } from "./cloudflare/deployed.ts";
import { sessionsFolder } from "./folder.ts";
import { sessionsDaemon, startSessions, stopSessions } from "./supervise.ts";

/** Timeout until it responds, in milliseconds. */
const readyMs = 30_000;
const pauseMs = 100;

export default commandScript({
  variables: z.object({
    INSTALLATION: z.string(),
    /** The name of the worker on Cloudflare that has the sessions; empty if they are on this machine. */
    WORKER: z._default(z.string(), ""),
    /** The port of the page. */
    PORT: z.optional(z.string().check(z.regex(/^\d{1,5}$/))),
    PUBLIC_URL: z.optional(z.string()),
  }),
  keeps: (name) => isModalVariable(name) || isDockerVariable(name),
  timeoutSeconds: 120,
  async apply({ INSTALLATION: installation, WORKER: worker, PORT: port, PUBLIC_URL: publicUrl }) {
    await stopSessions(installation);
    const folder = sessionsFolder(installationPaths(installation));
    if (worker === "") forgetDeployed(folder);
    writePageSettings(folder, { port: port === undefined ? undefined : Number(port), publicUrl });
    const { pid, supervisor } = await startSessions(installation);
    await untilAnswering(installation);
    printNote(`session service running (pid ${pid}, kept running by ${supervisor})\n`);
    return { sessions: "running" };
  },
  async remove({ INSTALLATION: installation }) {
    const paths = installationPaths(installation);
    requireInstallationHere(paths);
    await stopSessions(installation);
    removeAllButVolumes(paths);
    removeEmptyFolders(paths);
    return { sessions: "removed" };
  },
});

/**
 * Waits until the service responds, because a running process does not mean that it serves.
 * @throws with the log tail if it does not respond
 */
async function untilAnswering(installation: string): Promise<void> {
  const sessions = openSessions({ folder: sessionsFolder(installationPaths(installation)), person: "owner" });
  for (const end = Date.now() + readyMs; Date.now() < end; await sleep(pauseMs)) {
    try {
      await sessions.list();
      return;
    } catch {
      // It has not written its address yet, or it crashed and is being restarted.
    }
  }
  const words = logTail(sessionsDaemon(installation, homedir()));
  throw new Error(`the session service does not answer after ${readyMs / 1000} s: ${words}`);
}
