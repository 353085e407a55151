import type { DeployableKind, Deployment, Leftovers } from "../stack/deployment.ts";
import type { Inspection } from "../stack/inspection.ts";
import { cronDiagnostics } from "./checks.ts";
import type { DeclaredCron } from "./declared.ts";
import { installedNames } from "./local/installed-files.ts";
import { type CronOptions, cronApplies, cronNoun, cronProviders, cronTable, optionsOfCron } from "./options.ts";
import { resolveCrons } from "./resolve.ts";
import { type CronKeys, type CronSettings, cronSettings } from "./settings.ts";
import { cronVerbs } from "./verbs.ts";

/** Scheduled changelings (spec 000). */
export const cron = {
  summary: "a schedule fires, a fresh agent works on a new branch and exits",
  noun: cronNoun,
  verbs: cronVerbs,
  providers: cronProviders,
  commandSuffixes: ["job", "app"],
  options: optionsOfCron,
  table: cronTable,
  counterparts: { source: "repo", start_timeout_seconds: "timeout_seconds" },
  settings: cronSettings,
  applies: cronApplies,
  check: cronDiagnostics,
  resolve: resolveCrons,
  isFoundAnywhere: true,
  known: (paths) => installedNames(paths).map((name) => ({ name })),
  async deployment(): Promise<Deployment<DeclaredCron, CronSettings>> {
    return (await import("./deploy.ts")).cronDeployment;
  },
  async inspection(): Promise<Inspection> {
    return (await import("./inspect.ts")).cronInspection;
  },
  async leftovers(): Promise<Leftovers> {
    return (await import("./leftovers.ts")).cronLeftovers;
  },
} satisfies DeployableKind<CronOptions, DeclaredCron, CronKeys, CronSettings>;
