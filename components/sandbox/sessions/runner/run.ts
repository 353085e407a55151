import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { ensureFolder } from "../../../host/files.ts";
import type { Log } from "../../../host/log.ts";
import { type RunningPage, startPage } from "../../page/server.ts";
import { readServiceFile } from "../folder.ts";
import { personHeader, type ServiceFile } from "../protocol.ts";
import { Records } from "./records.ts";
import { Runs } from "./runs.ts";
import { CannotSleep, Sandboxes, type SandboxesOptions } from "./sandboxes.ts";
import { startRunnerServer } from "./server.ts";
import { Workerd } from "./workerd.ts";

/** When it is tried again to save a sandbox; milliseconds. */
const retryMs = 60_000;

export interface SessionServiceOptions extends Omit<SandboxesOptions, "records" | "onChange"> {
  /** The service's own, 0700; see `sessionsFolder`. */
  readonly folder: string;
  readonly log: Log;
  /** How often sandboxes are looked for that are idle, or whose time is over; milliseconds. */
  readonly lookEveryMs?: number | undefined;
}

/**
 * Starts the session service: workerd with the sessions, the runner that holds their sandboxes, and their page.
 *
 * @returns a function that stops it and leaves the sandboxes
 * @throws if workerd does not start
 */
export async function startSessionService(options: SessionServiceOptions): Promise<() => Promise<void>> {
  const { folder, log, lookEveryMs = 5_000 } = options;
  ensureFolder(folder);
  const records = new Records(join(folder, "runner.sqlite"));
  const sandboxes = new Sandboxes({ ...options, records, onChange: () => tell() });
  const runs = new Runs(records, sandboxes);
  const secret = randomBytes(32).toString("hex");
  const { server, port } = await startRunnerServer({ runs, sandboxes, secret, log });
  const token = readServiceFile(folder)?.token ?? randomBytes(32).toString("base64url");
  const ownerHash = createHash("sha256").update(token).digest("hex");
  let service: ServiceFile | undefined;
  const workerd = new Workerd({
    ...{ folder, token, log },
    config: { runnerPort: port, runnerSecret: secret, ownerHash },
    onReady: (ready) => {
      service = ready;
      // Those whose messages were being executed; the others have an alarm.
      for (const session of records.sessionsWithRuns()) void call(ready, session, "wake", {}).catch(() => {});
    },
  });
  await workerd.start();
  // Sessions go on without their page.
  const page = await startPage({ folder, log, service: () => service }).catch(
    (error: unknown): RunningPage | undefined => {
      log(`the page could not be started: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    },
  );
  /** Tells the sessions whose sandboxes sleep now, or do not any more. What fails is done again soon. */
  function tell(): void {
    if (service === undefined) return;
    for (const { id, is_asleep: isAsleep, snapshot } of records.untold()) {
      call(service, id, "sandbox", { isAsleep: isAsleep === 1, snapshot: snapshot ?? undefined })
        .then(() => records.saveTold(id, isAsleep))
        .catch(() => {});
    }
  }
  const expire = async (running: ServiceFile, session: string) => {
    try {
      const message = "the time of its sandbox was over (timeout_seconds); what it had done is kept";
      await sandboxes.sleep(session, () => runs.end(session, { code: "timeout", message }));
    } catch (error) {
      if (!(error instanceof CannotSleep)) throw error;
      await call(running, session, "stop", { reason: `the time of its sandbox is over, and ${error.message}` });
      await runs.end(session);
      await sandboxes.terminate(session);
    }
  };
  const look = (running: ServiceFile) => {
    const now = new Date();
    for (const session of records.expired(now)) {
      // Not again until it is over.
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
    tell();
  };
  const timer = setInterval(() => service !== undefined && look(service), lookEveryMs);
  return async () => {
    clearInterval(timer);
    await page?.close();
    await workerd.stop();
    server.closeAllConnections();
    server.close();
    records.close();
  };
}

async function call({ url, token }: ServiceFile, session: string, what: string, body: object): Promise<void> {
  const response = await fetch(`${url}/sessions/${session}/${what}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, [personHeader]: encodeURIComponent("the service") },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`the service answers with ${response.status}`);
}
