import type { DeployableKind, Deployment, Leftovers } from "../stack/deployment.ts";
import type { Inspection } from "../stack/inspection.ts";
import { readRecords, removedText } from "./agent/record.ts";
import { webDiagnostics } from "./checks.ts";
import { webCommandSuffixes } from "./command-suffixes.ts";
import type { DeclaredWeb } from "./declared.ts";
import { type ForwardingKeys, type ForwardingSettings, forwardingSettings } from "./forwarding/declared.ts";
import { optionsOfWeb, type WebOptions, webApplies, webNoun, webProviders, webTable } from "./options.ts";
import { resolveWebs } from "./resolve.ts";
import { webVerbs } from "./verbs.ts";

/** Persistent web changelings (spec 001), and the forwarding server that proxies them (spec 002). */
export const web = {
  summary: "a persistent agent serves web pages",
  noun: webNoun,
  verbs: webVerbs,
  providers: webProviders,
  commandSuffixes: webCommandSuffixes,
  options: optionsOfWeb,
  table: webTable,
  counterparts: { repo: "source", timeout_seconds: "start_timeout_seconds" },
  settings: forwardingSettings,
  applies: webApplies,
  check: webDiagnostics,
  resolve: resolveWebs,
  known: (paths) =>
    readRecords(paths).map((record) =>
      record.removed === true ? { name: record.name, removed: removedText(record) } : { name: record.name },
    ),
  async deployment(): Promise<Deployment<DeclaredWeb, ForwardingSettings>> {
    return (await import("./deploy.ts")).webDeployment;
  },
  async inspection(): Promise<Inspection> {
    return (await import("./inspect.ts")).webInspection;
  },
  async leftovers(): Promise<Leftovers> {
    return (await import("./leftovers.ts")).webLeftovers;
  },
} satisfies DeployableKind<WebOptions, DeclaredWeb, ForwardingKeys, ForwardingSettings>;
