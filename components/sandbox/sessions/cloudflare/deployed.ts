import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { readJson, writePrivateFile } from "../../../host/files.ts";

/** `cloudflare.json`, 0600: the deployed worker. With this file, the runner links to the worker and starts no workerd. */
const deployedWorker = z.object({
  version: z.literal(1),
  accountId: z.string(),
  worker: z.string(),
  /** undefined until the first deployment has succeeded */
  url: z.optional(z.string()),
  /** Tokens of the installation's owner and of the runner. Cloudflare has only their hashes. */
  ownerToken: z.string(),
  runnerToken: z.string(),
  /** Cloudflare's id of the version that was deployed. */
  versionId: z.optional(z.string()),
});
export type DeployedWorker = z.output<typeof deployedWorker>;

function pathIn(folder: string): string {
  return join(folder, "cloudflare.json");
}

/** @param folder the session service's. @returns undefined if no worker was deployed from this machine */
export function readDeployed(folder: string): DeployedWorker | undefined {
  try {
    return deployedWorker.safeParse(readJson(pathIn(folder))).data;
  } catch {
    // `up` writes it atomically, so a damaged file is not from `up`.
    return undefined;
  }
}

export function writeDeployed(folder: string, deployed: DeployedWorker): void {
  writePrivateFile(pathIn(folder), `${JSON.stringify(deployed)}\n`);
}

export function forgetDeployed(folder: string): void {
  rmSync(pathIn(folder), { force: true });
}

export function newTokens(): Pick<DeployedWorker, "ownerToken" | "runnerToken"> {
  const token = () => randomBytes(32).toString("base64url");
  return { ownerToken: token(), runnerToken: token() };
}
