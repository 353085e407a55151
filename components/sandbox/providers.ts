import { SandboxError, type SandboxProvider } from "./provider.ts";
import type { SandboxProviderName } from "./spec.ts";

/** The stack that uses a provider. */
export interface ProviderContext {
  /** The id of the installation that the sandboxes belong to. */
  readonly installation: string;
  /** The installation's folder for sandboxes. */
  readonly sandboxes: string;
}

/** The providers by name, loaded on demand. */
const providers: Partial<Record<SandboxProviderName, (context: ProviderContext) => Promise<SandboxProvider>>> = {
  local: async (context) => (await import("./local/provider.ts")).localProvider(context),
  docker: async (context) => (await import("./docker/provider.ts")).dockerSandboxes({ ...context, env: process.env }),
  modal: async ({ installation, sandboxes }) =>
    (await import("./modal/provider.ts")).openModal(installation, sandboxes),
};

export async function openProvider(name: SandboxProviderName, context: ProviderContext): Promise<SandboxProvider> {
  const open = providers[name];
  if (open === undefined) throw new SandboxError("provider", `there is no provider ${name} yet`);
  return open(context);
}
