import { createHash } from "node:crypto";
import { programVersion } from "../../../host/supervision/program-version.ts";
import { canonicalJson } from "../../../lib/json.ts";
import { workerProgram } from "../folder.ts";
import { workerCompatibility, workerFile } from "../runner/workerd-config.ts";

/** The text binding by which a worker is recognized as this installation's. */
export const installationBinding = "CHANGELINGS_INSTALLATION";

export interface WorkerOfInstallation {
  readonly accountId: string;
  readonly worker: string;
  readonly installation: string;
}

/**
 * The `wrangler.json` of the session service, without secrets. The tags of migrations, and the classes in them, never
 * change. A new class needs a new migration.
 */
export function wranglerConfig(of: WorkerOfInstallation, build: string) {
  return { ...baseConfig(of), vars: { BUILD: build, [installationBinding]: of.installation } };
}

/** Identifies the deployed configuration and program. The worker answers with it. */
export function buildId(of: WorkerOfInstallation): string {
  const parts = [canonicalJson(baseConfig(of)), programVersion(workerProgram, ["zod"])];
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 16);
}

function baseConfig({ accountId, worker }: WorkerOfInstallation) {
  return {
    ...{ name: worker, account_id: accountId, main: workerFile },
    compatibility_date: workerCompatibility.date,
    compatibility_flags: [...workerCompatibility.flags],
    // esbuild has already bundled it, as for workerd on this machine.
    ...{ no_bundle: true, find_additional_modules: false },
    ...{ workers_dev: true, preview_urls: false, send_metrics: false },
    durable_objects: {
      bindings: [
        { name: "SESSIONS", class_name: "Session" },
        { name: "DIRECTORY", class_name: "Directory" },
        { name: "RUNNER_LINK", class_name: "RunnerLink" },
      ],
    },
    migrations: [{ tag: "v1", new_sqlite_classes: ["Session", "Directory", "RunnerLink"] }],
    version_metadata: { binding: "VERSION" },
  };
}

/** The name of an installation's worker, unless the fleet file has one. */
export function defaultWorkerName(installation: string): string {
  return `changelings-${installation.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`.slice(0, 63).replace(/-$/, "");
}
