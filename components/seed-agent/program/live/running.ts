import { randomInt } from "node:crypto";
import type { AgentRequest, Version } from "../domain.ts";
import { type CallContext, type Handled, HostError, type VersionHost } from "../hot-reload/version-host.ts";
import { ownValue } from "../own-value.ts";
import type { Store } from "../store/store.ts";
import type { Recorder } from "./recorder.ts";
import { Counter } from "./statistics.ts";

/** A version and the process that runs it. */
export interface Running {
  readonly version: Version;
  readonly host: VersionHost;
  readonly counter: Counter;
}

export function running(version: Version, host: VersionHost): Running {
  return { version, host, counter: new Counter() };
}

export type AgentState = Pick<Store, "stateGet" | "stateSet">;

/** How often a request is handled again because another one changed the state that it had read. */
const maxAttempts = 10;

/** Other requests kept changing the state that this one read. */
export class Contended extends Error {
  override readonly name = "Contended";
}

/**
 * Handles a request as one transaction over the agent's state: its changes are written only if the keys that it read have not
 * changed. The code has no other effects, so the request can be handled again. A failed answer (5xx) changes nothing: another
 * version may be asked in its place.
 *
 * @throws HostError, StoreUnavailable, StateFull, Contended
 */
export async function answer(
  { version, host }: Running,
  request: AgentRequest,
  { state, recorder }: { readonly state: AgentState; readonly recorder: Recorder },
): Promise<Handled> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const given = givenNow(state);
    const handled = await handle(host, request, given);
    const hasEffects = handled.response.status < 500 && Object.keys(handled.writes).length > 0;
    const isWritten = !hasEffects || (await state.stateSet(handled.writes, handled.reads));
    if (!isWritten) continue;
    recorder.add({ version: version.id, request, now: given.now, seed: given.seed, handled });
    return handled;
  }
  throw new Contended("other requests kept changing the state that this one reads");
}

/** If the state could not be read, throws the store's error, whatever the code does with it. */
async function handle(host: VersionHost, request: AgentRequest, given: CallContext): Promise<Handled> {
  let readError: unknown;
  const read = async (key: string) => {
    try {
      return await given.read(key);
    } catch (error) {
      readError = error;
      throw error;
    }
  };
  try {
    return await host.handle(request, { ...given, read });
  } catch (error) {
    throw readError ?? error;
  }
}

export function givenNow(state: AgentState): CallContext {
  return {
    now: Date.now(),
    seed: randomInt(2 ** 31),
    read: async (key) => ownValue(await state.stateGet([key]), key),
  };
}

/** The results of the version's `checks.ts`, by name. If it fails as a whole, that counts as one failing check. */
export async function checksOf({ host }: Running, state: AgentState): Promise<ReadonlyMap<string, boolean>> {
  try {
    return new Map((await host.checks(givenNow(state))).map(({ name, ok }) => [name, ok]));
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    // The checks did not run, which says nothing about the version.
    if (error.code === "busy") return new Map();
    return new Map([[`its checks (${error.message})`, false]]);
  }
}
