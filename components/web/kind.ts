import type { DeployableKind, Deployment } from "../stack/deployment.ts";
import { unfitWebOptions, webFindings } from "./checks.ts";
import type { DeclaredWeb } from "./declared.ts";
import { type ForwardingKeys, type ForwardingSettings, forwardingSettings } from "./forwarding/declared.ts";
import { optionsOfWeb, type WebOptions, webProviders, webTable } from "./options.ts";
import { resolveWebs } from "./resolve.ts";

/** Persistent web changelings (spec 001), and the forwarding server that proxies them (spec 002). */
export const web = {
  summary: "a persistent agent serves web pages",
  providers: webProviders,
  options: optionsOfWeb,
  table: webTable,
  counterparts: { repo: "source", timeout_seconds: "start_timeout_seconds" },
  settings: forwardingSettings,
  unfit: unfitWebOptions,
  check: webFindings,
  resolve: resolveWebs,
  async deployment(): Promise<Deployment<DeclaredWeb, ForwardingSettings>> {
    return (await import("./deploy.ts")).webDeployment;
  },
} satisfies DeployableKind<WebOptions, DeclaredWeb, ForwardingKeys, ForwardingSettings>;
