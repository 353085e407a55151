import type { DeployableKind, Deployment, Leftovers } from "../stack/deployment.ts";
import type { Inspection } from "../stack/inspection.ts";
import { sandboxDiagnostics } from "./checks.ts";
import type { DeclaredSandbox } from "./declared.ts";
import { installedSandboxes } from "./installed.ts";
import { optionsOfSandbox, type SandboxOptions, sandboxApplies, sandboxNoun, sandboxTable } from "./options.ts";
import { resolveSandboxes } from "./resolve.ts";
import { type SandboxesKeys, type SandboxesSettings, sandboxesSettings } from "./sessions/options.ts";
import { sandboxProviders } from "./spec.ts";
import { sandboxVerbs } from "./verbs.ts";

/** Coding sandboxes with a pluggable agent runtime and a memory per repository (spec 004). */
export const sandbox = {
  summary: "coding sandboxes are made on demand, in each of which an agent executes prompts",
  noun: sandboxNoun,
  verbs: sandboxVerbs,
  providers: sandboxProviders,
  commandSuffixes: ["sandbox"],
  options: optionsOfSandbox,
  table: sandboxTable,
  counterparts: { source: "repo", agent_type: "runtime" },
  settings: sandboxesSettings,
  applies: sandboxApplies,
  check: sandboxDiagnostics,
  resolve: resolveSandboxes,
  known: (paths) => installedSandboxes(paths).map((name) => ({ name })),
  async deployment(): Promise<Deployment<DeclaredSandbox, SandboxesSettings>> {
    return (await import("./deploy.ts")).sandboxDeployment;
  },
  async inspection(): Promise<Inspection> {
    return (await import("./inspect.ts")).sandboxInspection;
  },
  async leftovers(): Promise<Leftovers> {
    return (await import("./leftovers.ts")).sandboxLeftovers;
  },
} satisfies DeployableKind<SandboxOptions, DeclaredSandbox, SandboxesKeys, SandboxesSettings>;
