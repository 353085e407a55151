import type { DeployableKind, Deployment, Leftovers } from "../stack/deployment.ts";
import type { Inspection } from "../stack/inspection.ts";
import { seedAgentDiagnostics } from "./checks.ts";
import type { DeclaredSeedAgent } from "./declared.ts";
import { installedSeedAgents } from "./installed.ts";
import {
  optionsOfSeedAgent,
  type SeedAgentOptions,
  seedAgentApplies,
  seedAgentNoun,
  seedAgentTable,
} from "./options.ts";
import { resolveSeedAgents } from "./resolve.ts";
import { seedAgentProviders } from "./spec.ts";
import { seedAgentVerbs } from "./verbs.ts";

/** Services that improve their own code, and their deployments (spec 003). */
export const seedAgent = {
  summary: "a service that keeps running improves its own code",
  noun: seedAgentNoun,
  verbs: seedAgentVerbs,
  providers: seedAgentProviders,
  // Not `seed-agent`: a web changeling that is named `x-seed` has a Command `x-seed-agent`.
  commandSuffixes: ["credentials", "service"],
  options: optionsOfSeedAgent,
  table: seedAgentTable,
  applies: seedAgentApplies,
  check: seedAgentDiagnostics,
  resolve: resolveSeedAgents,
  known: (paths) => installedSeedAgents(paths).map((name) => ({ name })),
  async deployment(): Promise<Deployment<DeclaredSeedAgent>> {
    return (await import("./deploy.ts")).seedAgentDeployment;
  },
  async inspection(): Promise<Inspection> {
    return (await import("./inspect.ts")).seedAgentInspection;
  },
  async leftovers(): Promise<Leftovers> {
    return (await import("./leftovers.ts")).seedAgentLeftovers;
  },
} satisfies DeployableKind<SeedAgentOptions, DeclaredSeedAgent>;
