import type { Diagnostic, KeyPathOf } from "../fleet/diagnostics.ts";
import type { Stack } from "../stack/deployment.ts";
import type { DeclaredWeb } from "./declared.ts";
import { docker } from "./docker/entry.ts";
import { local } from "./local/entry.ts";
import { modal } from "./modal/entry.ts";
import type { ObservedWebs } from "./observed.ts";
import type { Provider, WebOptions } from "./options.ts";

/** A provider of web changelings. Its other modules are only loaded for fleets that use it. */
export interface WebProvider {
  /** Where its agents run, for messages: "in Docker". */
  readonly where: string;
  /** Checks options that mean something else on other providers. */
  check(options: WebOptions, place: KeyPathOf): Diagnostic[];
  /** Observes its changelings and their sources, in one read for all of them. */
  observe(changelings: readonly DeclaredWeb[], stack: Stack): Promise<ObservedWebs>;
}

export const providers = { local, docker, modal } satisfies Record<Provider, WebProvider>;
