import { error } from "../../../components/fleet/diagnostics.ts";
import type { ResolvedChangeling } from "../../../components/fleet/kind.ts";
import type { DeployableKind, Deployment, Leftovers } from "../../../components/stack/deployment.ts";
import type { Inspection } from "../../../components/stack/inspection.ts";
import { greeters } from "./greetings.ts";
import { type NoopOptions, noopProviders, noopTable, optionsOfNoop } from "./options.ts";

export interface DeclaredNoop extends ResolvedChangeling {
  readonly kind: "noop";
  readonly greeting: string;
}

/** The smallest kind: one option, one provider, one Command. */
export const noop = {
  summary: "a file holds a greeting",
  noun: "noop",
  verbs: { run: (name) => `nothing fires it; what it says: cat ~/noop-${name}` },
  providers: noopProviders,
  commandSuffixes: ["noop"],
  options: optionsOfNoop,
  table: noopTable,
  known: () => greeters().map((name) => ({ name })),
  check: ({ greeting }, place) =>
    greeting === "rude" ? [error(place("greeting"), "is rude", 'write greeting = "hello"')] : [],
  resolve: async (declarations) => ({
    changelings: declarations.map(({ name, options }) => ({
      name,
      kind: "noop" as const,
      provider: options.provider,
      enabled: options.enabled,
      secrets: [],
      requiredSecrets: [],
      description: options.description,
      renamedFrom: options.renamed_from,
      greeting: options.greeting,
    })),
    diagnostics: [],
  }),
  async deployment(): Promise<Deployment<DeclaredNoop>> {
    return (await import("./deploy.ts")).noopDeployment;
  },
  async inspection(): Promise<Inspection> {
    return (await import("./inspect.ts")).noopInspection;
  },
  async leftovers(): Promise<Leftovers> {
    return (await import("./leftovers.ts")).noopLeftovers;
  },
} satisfies DeployableKind<NoopOptions, DeclaredNoop>;
