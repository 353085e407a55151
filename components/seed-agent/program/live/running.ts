import { randomInt } from "node:crypto";
import type { AgentRequest, Version } from "../domain.ts";
import { type Given, type Handled, HostError, type VersionHost } from "../hot-reload/version-host.ts";
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

/** How often a request is handled again because another one changed what it had read. */
const mostAttempts = 10;

/** Other requests kept changing what this one read. */
export class Contended extends Error {
  override readonly name = "Contended";
}

/**
 * Handles a request as one transaction over the agent's state: what it writes is written only if nothing that it read has
 * changed. Its code has no other effects, so it can be handled again.
 *
 * @throws HostError, StoreUnavailable, StateFull, Contended
 */
export async function answer(
  { version, host }: Running,
  request: AgentRequest,
  { state, recorder }: { readonly state: AgentState; readonly recorder: Recorder },
): Promise<Handled> {
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const given = givenNow(state);
    const handled = await handledBy(host, request, given);
    const isWritten = Object.keys(handled.writes).length === 0 || (await state.stateSet(handled.writes, handled.reads));
    if (!isWritten) continue;
    recorder.add({ version: version.id, request, now: given.now, seed: given.seed, handled });
    return handled;
  }
  throw new Contended("other requests kept changing the state that this one reads");
}

/** If the state could not be read, the store is to blame, whatever the code makes of it. */
async function handledBy(host: VersionHost, request: AgentRequest, given: Given): Promise<Handled> {
  let unread: unknown;
  const read = async (key: string) => {
    try {
      return await given.read(key);
    } catch (error) {
      unread = error;
      throw error;
    }
  };
  try {
    return await host.handle(request, { ...given, read });
  } catch (error) {
    throw unread ?? error;
  }
}

export function givenNow(state: AgentState): Given {
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
