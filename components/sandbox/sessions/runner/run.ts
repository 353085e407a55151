import { createHash, randomBytes } from "node:crypto";
import { ensureFolder, writePrivateFile } from "../../../host/files.ts";
import type { Log } from "../../../host/log.ts";
import { messageOf } from "../../../lib/as-error.ts";
import { type RunningPage, startPage } from "../../page/server.ts";
import { readPageSettings } from "../../page/settings.ts";
import { readDeployed } from "../cloudflare/deployed.ts";
import { readServiceFile, serviceFilePath } from "../folder.ts";
import { personHeader, type ServiceFile } from "../protocol.ts";
import { Link } from "./link.ts";
import { isServing } from "./process-identity.ts";
import { Records, recordsPath } from "./records.ts";
import { Runs } from "./runs.ts";
import { CannotSleep, Sandboxes, type SandboxesOptions } from "./sandboxes.ts";
import { startRunnerServer } from "./server.ts";
import { endOrphanedWorkerd, Workerd } from "./workerd.ts";

/** The status for a session from before the sessions moved to Cloudflare, or back. The runner still manages its sandbox. */
const unknownSession = [404] as const;
/** How long to wait before the next attempt to save a sandbox; milliseconds. */
const retryMs = 60_000;

export interface SessionServiceOptions extends Omit<SandboxesOptions, "records" | "onChange"> {
  /** The service's folder, 0700; see `sessionsFolder`. */
  readonly folder: string;
  readonly log: Log;
  /** How often to check for sandboxes that are idle or whose time is over; milliseconds. */
  readonly checkEveryMs?: number | undefined;
}

/**
 * Starts the session service: the runner that holds the sandboxes, their page, and workerd with the sessions, or the link
 * to the worker on Cloudflare that has them.
 *
 * @returns a function that stops it and leaves the sandboxes
 * @throws if workerd does not start
 */
export async function startSessionService(options: SessionServiceOptions): Promise<() => Promise<void>> {
  const { folder, log, checkEveryMs = 5_000 } = options;
  ensureFolder(folder);
  const records = new Records(recordsPath(folder));
  const sandboxes = new Sandboxes({ ...options, records, onChange: () => reportSleep() });
  const runs = new Runs(records, sandboxes);
  const secret = randomBytes(32).toString("hex");
  const { server, port } = await startRunnerServer({ runs, sandboxes, secret, log });
  let service: ServiceFile | undefined;
  const serving = () => (service !== undefined && isServing(service) ? service : undefined);
  const onReady = (ready: ServiceFile) => {
    service = ready;
    // Sessions whose messages were being executed. The others have an alarm.
    for (const session of records.sessionsWithRuns()) void call(ready, session, "wake", {}).catch(() => {});
  };
  const objects = await startObjects({ folder, log, port, secret, onReady });
  service = readServiceFile(folder);
  // The sessions work without their page.
  const page = await startPage({ folder, log, service: serving, settings: readPageSettings(folder) }).catch(
    (error: unknown): RunningPage | undefined => {
      log(`the page could not be started: ${messageOf(error)}`);
      return undefined;
    },
  );
  /** Informs sessions whose sandbox fell asleep or woke up. If that fails, the next check does it again. */
  function reportSleep(): void {
    const running = serving();
    if (running === undefined) return;
    for (const { id, is_asleep: isAsleep, snapshot } of records.unreported()) {
      const change = { isAsleep: isAsleep === 1, snapshot: snapshot ?? undefined };
      call(running, id, "sandbox", change, unknownSession)
        .then(() => records.saveReported(id, isAsleep))
        .catch(() => {});
    }
  }
  const expire = async (running: ServiceFile, session: string) => {
    try {
      const message = "the time of its sandbox was over (timeout_seconds); what it had done is kept";
      await sandboxes.sleep(session, () => runs.end(session, { code: "timeout", message }));
    } catch (error) {
      if (!(error instanceof CannotSleep)) throw error;
      const reason = `the time of its sandbox is over, and ${error.message}`;
      await call(running, session, "stop", { reason }, unknownSession);
      await runs.end(session);
      await sandboxes.terminate(session);
    }
  };
  const check = (running: ServiceFile) => {
    const now = new Date();
    for (const session of records.expired(now)) {
      // The next check must not save it again meanwhile.
      records.postponeExpiry(session, new Date(now.getTime() + retryMs));
      expire(running, session).catch((error: unknown) => log(`${session} can't be saved: ${error}`));
    }
    for (const session of records.idle(now)) {
      if (sandboxes.isUsed(session)) continue;
      records.saveUse(session, now);
      sandboxes.sleep(session).catch((error: unknown) => log(`${session} can't sleep: ${error}`));
    }
    for (const session of records.halfAsleep()) {
      sandboxes.sleep(session).catch((error: unknown) => log(`the sandbox of ${session} can't be ended: ${error}`));
    }
    reportSleep();
  };
  const timer = setInterval(() => {
    const running = serving();
    if (running !== undefined) check(running);
  }, checkEveryMs);
  return async () => {
    clearInterval(timer);
    await page?.close();
    await objects.stop();
    server.closeAllConnections();
    server.close();
    records.close();
  };
}

/** Starts workerd with the sessions on this machine, or the link to the deployed worker on Cloudflare. */
async function startObjects(options: {
  readonly folder: string;
  readonly log: Log;
  /** The port of the runner's server, and the secret that it requires. */
  readonly port: number;
  readonly secret: string;
  readonly onReady: (service: ServiceFile) => void;
}): Promise<{ stop(): Promise<void> }> {
  const { folder, log, port, secret, onReady } = options;
  const deployed = readDeployed(folder);
  if (deployed?.url === undefined) {
    const token = readServiceFile(folder)?.token ?? randomBytes(32).toString("base64url");
    const ownerHash = createHash("sha256").update(token).digest("hex");
    const config = { runnerPort: port, runnerSecret: secret, ownerHash };
    const workerd = new Workerd({ folder, token, log, config, onReady });
    await workerd.start();
    return workerd;
  }
  await endOrphanedWorkerd(folder);
  const { url, ownerToken, runnerToken } = deployed;
  const service: ServiceFile = { version: 1, url, token: ownerToken };
  writePrivateFile(serviceFilePath(folder), `${JSON.stringify(service)}\n`);
  const link = new Link({ url, token: runnerToken, port, secret, log, onConnected: () => onReady(service) });
  link.start();
  return link;
}

/** @param also other statuses that are not an error */
async function call(
  { url, token }: ServiceFile,
  session: string,
  what: string,
  body: object,
  also: readonly number[] = [],
): Promise<void> {
  const response = await fetch(`${url}/sessions/${session}/${what}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, [personHeader]: encodeURIComponent("the service") },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  await response.body?.cancel();
  if (!response.ok && !also.includes(response.status)) throw new Error(`the service answers with ${response.status}`);
}
