import { AsyncLocalStorage } from "node:async_hooks";

/** Everything that a call may depend on besides its input. */
export interface CallContext {
  /** The id of the call. */
  readonly id?: number;
  readonly now: number;
  /** Changes with each random number. */
  seed: number;
}

/** Each call has its own, so that concurrent calls don't mix. */
export const given = new AsyncLocalStorage<CallContext>();

/** Outside of calls, for instance while the code is loaded, nothing may depend on the machine, either. */
const outside: CallContext = { now: 0, seed: 0 };

export const now = (): number => (given.getStore() ?? outside).now;

/** mulberry32: small, and good enough where nothing must be secret. */
export function random(): number {
  const current = given.getStore() ?? outside;
  current.seed = (current.seed + 0x6d2b79f5) | 0;
  let mixed = Math.imul(current.seed ^ (current.seed >>> 15), 1 | current.seed);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
