import { HostError } from "../hot-reload/version-host.ts";
import type { Live } from "./live.ts";
import { type LiveParts, NodeLive } from "./node-live.ts";
import { running } from "./running.ts";

/** After this many starts that did not prove themselves, even a good version is given up. */
const maxStarts = 10;

/**
 * Boots this node with the active version of its code store. In a crash loop, or if that version does not start, it boots the
 * last good one, and then `v0`. A version that has not passed its probation begins it again.
 *
 * @throws HostError if not even `v0` starts
 */
export async function openLive(parts: LiveParts): Promise<Live> {
  const { codeStore, firstVersion } = parts;
  const read = async (id: string) => (id === "v0" ? await firstVersion() : await codeStore.read(id));
  const { isCrashLoop: isLoop, starts } = await codeStore.beginStart();
  // A version that passed its probation is rarely the reason why a machine restarts again and again.
  const isCrashLoop = isLoop && (!codeStore.isGood() || starts > maxStarts);
  const active = codeStore.active();
  const candidates = [...new Set([...(isCrashLoop ? [] : [active]), codeStore.lastGood(), "v0"])];
  let reason = isCrashLoop ? `the service did not stay up after ${starts} starts` : "";
  for (const id of candidates) {
    let live: NodeLive | undefined;
    try {
      const version = await read(id);
      if (version === undefined) throw new HostError("did not start", `its files are not in the code store`);
      live = new NodeLive(parts, running(version, await parts.startHost(version, parts.limits)), read);
      await live.boot(active, reason);
      return live;
    } catch (error) {
      await live?.close();
      if (!(error instanceof HostError)) throw error;
      reason = error.message;
      parts.events.log("error", `version ${id} does not start`, { reason });
      if (id === "v0") throw error;
    }
  }
  throw new HostError("did not start", reason);
}
