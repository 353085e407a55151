import type { Diagnostic, KeyPathOf } from "../fleet/diagnostics.ts";
import type { Stack } from "../stack/deployment.ts";
import type { DeclaredCron } from "./declared.ts";
import { local } from "./local/entry.ts";
import { modal } from "./modal/entry.ts";
import type { CronOptions, CronProvider } from "./options.ts";

/** What a provider does for cron changelings. What it needs is loaded only for fleets that use it. */
export interface CronProviderEntry {
  /** Checks options that mean something else on other providers. */
  check(options: CronOptions, place: KeyPathOf): Diagnostic[];
  /**
   * Observes its changelings, in one read for all of them.
   *
   * @returns the arguments that their components need besides their declarations
   */
  observe(changelings: readonly DeclaredCron[], stack: Stack): Promise<object>;
}

export const providers = { local, modal } satisfies Record<CronProvider, CronProviderEntry>;
