import type { Capabilities } from "./provider.ts";
import type { SandboxSpec } from "./spec.ts";

/**
 * How long it takes at most to save a sandbox: on Modal, up to 610 s for the snapshot, 60 s to write its volumes back, and
 * 60 s to end it. The rest is for the session service, which may be restarting just then.
 */
export const saveSeconds = 900;

export interface Lifetime {
  /** When the session service saves the sandbox and ends it, in seconds after its creation. */
  readonly sleepAfterSeconds: number;
  /** When a provider that ends sandboxes itself ends it. What was not saved by then is lost. */
  readonly endAfterSeconds: number;
}

/**
 * How long a sandbox lives. The declared `timeout_seconds` is when it falls asleep. A provider that ends sandboxes itself
 * must do so only `saveSeconds` later; near the provider's own limit, the sandbox falls asleep earlier instead.
 *
 * @returns for a `timeout_seconds` above the limit an end that is above it too: the provider rejects it with a remedy
 */
export function lifetimeOf(
  { timeoutSeconds }: Pick<SandboxSpec, "timeoutSeconds">,
  { longestSeconds }: Pick<Capabilities, "longestSeconds">,
): Lifetime {
  if (longestSeconds === undefined || timeoutSeconds > longestSeconds)
    return { sleepAfterSeconds: timeoutSeconds, endAfterSeconds: timeoutSeconds };
  const sleepAfterSeconds = Math.min(timeoutSeconds, longestSeconds - saveSeconds);
  return { sleepAfterSeconds, endAfterSeconds: sleepAfterSeconds + saveSeconds };
}
