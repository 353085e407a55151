import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { ensureFolder } from "../../../host/files.ts";
import type { Log } from "../../../host/log.ts";
import { type RunningPage, startPage } from "../../page/server.ts";
import { readServiceFile } from "../folder.ts";
import { personHeader, type ServiceFile } from "../protocol.ts";
import { Records } from "./records.ts";
import { Runs } from "./runs.ts";
import { Sandboxes, type SandboxesOptions } from "./sandboxes.ts";
import { startRunnerServer } from "./server.ts";
import { Workerd } from "./workerd.ts";

/** How often sandboxes are looked for whose time is over; milliseconds. */
const expireEveryMs = 5_000;

export interface SessionServiceOptions extends Omit<SandboxesOptions, "records"> {
  /** The service's own, 0700; see `sessionsFolder`. */
  readonly folder: string;
  readonly log: Log;
}

/**
 * Starts the session service: workerd with the sessions, the runner that holds their sandboxes, and their page.
 *
 * @returns a function that stops it and leaves the sandboxes
 * @throws if workerd does not start
 */
export async function startSessionService(options: SessionServiceOptions): Promise<() => Promise<void>> {
  const { folder, log } = options;
  ensureFolder(folder);
  const records = new Records(join(folder, "runner.sqlite"));
  const sandboxes = new Sandboxes({ ...options, records });
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
  const expire = async (running: ServiceFile, session: string) => {
    await call(running, session, "stop", { reason: "the time of its sandbox is over" });
    await runs.end(session);
    await sandboxes.terminate(session);
  };
  const timer = setInterval(() => {
    if (service === undefined) return;
    for (const session of records.expired(new Date())) {
      expire(service, session).catch((error: unknown) => log(`${session} can't be ended: ${error}`));
    }
  }, expireEveryMs);
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
