import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * One installation is one stack in one backend: what it keeps on a machine is keyed by this id, so that two stacks
 * never disturb each other, and the same stack finds its things again from another checkout.
 *
 * @returns 12 hexadecimal digits
 */
export function installationId(of: { backend: string; project: string; stack: string }): string {
  const key = [of.backend.replace(/\/+$/, ""), of.project, of.stack].join("\n");
  return createHash("sha256").update(key).digest("hex").slice(0, 12);
}

/**
 * The backend that the Pulumi CLI is using, by its own order: PULUMI_BACKEND_URL, then the login's current one.
 * A program is not told by the engine, so this reads what the CLI reads. (`backend.url` in Pulumi.yaml is not used here.)
 */
export function currentBackend(env: NodeJS.ProcessEnv = process.env, home: string = homedir()): string {
  if (env["PULUMI_BACKEND_URL"]) return env["PULUMI_BACKEND_URL"];
  const folder = env["PULUMI_CREDENTIALS_PATH"] ?? env["PULUMI_HOME"] ?? join(home, ".pulumi");
  try {
    const credentials: unknown = JSON.parse(readFileSync(join(folder, "credentials.json"), "utf8"));
    if (credentials !== null && typeof credentials === "object" && "current" in credentials) {
      if (typeof credentials.current === "string" && credentials.current !== "") return credentials.current;
    }
  } catch (error) {
    // No login at all means Pulumi Cloud; a file that can't be read is the CLI's to report, and it does, before us.
    if (!(error instanceof Error)) throw error;
  }
  return "https://api.pulumi.com";
}
