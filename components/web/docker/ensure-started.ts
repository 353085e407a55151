import type { WebRecord } from "../agent/record.ts";
import { mngrOnDocker } from "./mngr-on-docker.ts";

/** Starts an agent whose container was stopped, or that was stopped itself; one that runs is left alone. @throws MngrError */
export async function ensureStarted({ hostAddress, mngrProfile }: WebRecord, env: NodeJS.ProcessEnv): Promise<void> {
  if (hostAddress !== undefined) await mngrOnDocker(mngrProfile, env).start(hostAddress);
}
