import type { Events } from "../events.ts";
import { type Authentication, authentication, cookieProblem } from "./authentication.ts";
import type { Cluster, ClusterView, Peer } from "./cluster.ts";
import type { Discovery } from "./discovery.ts";
import type { NameClaim } from "./name-claim.ts";
import { repeat } from "./repeat.ts";

export interface MembershipOptions {
  readonly node: string;
  /** Without it, the node has no peers. */
  readonly discovery?: Discovery | undefined;
  /** `RELEASE_COOKIE`. */
  readonly cookie?: string | undefined;
  /** The version that this node runs. */
  readonly version: () => string;
  readonly converge: { start(): void; stop(): Promise<void>; view(): ClusterView };
  readonly nameClaim: NameClaim;
  readonly events: Pick<Events, "log">;
  /** Called with this node's address, as its peers see it; with undefined when DNS no longer lists it. */
  readonly onOwnAddress?: (address: string | undefined) => void;
  /** How often peers are discovered, in ms. Varies by a fifth, so that nodes that start together drift apart. */
  readonly pollMilliseconds?: number;
}

export interface Membership extends Cluster {
  /** For the routes that peers call; undefined if discovery or the cookie is missing. */
  readonly authentication: Authentication | undefined;
  /** How many nodes reported to the store lately, this one included. */
  size(): number;
}

/** How many peers are greeted at the same time. */
const width = 8;

/** Discovers peers, and verifies that they have the cookie. What nodes run depends only on the store, not on this. */
export function membership(options: MembershipOptions): Membership {
  const { node, discovery, cookie, version, converge, nameClaim, events } = options;
  const invalidCookie = discovery === undefined ? undefined : cookieProblem(cookie ?? "");
  const greeter =
    discovery === undefined || cookie === undefined || invalidCookie !== undefined
      ? undefined
      : authentication({ node, cookie, version });
  let peers: readonly Peer[] = [];
  let problem = invalidCookie;
  let own: string | undefined;

  async function discover(): Promise<void> {
    if (discovery === undefined || greeter === undefined) return;
    const found = await discovery.discover();
    const greeted: Peer[] = [];
    const waiting = [...found.peers];
    const next = async (): Promise<void> => {
      for (let address = waiting.shift(); address !== undefined; address = waiting.shift()) {
        const peer = await greet(greeter, address);
        if (peer === undefined) own = address;
        else greeted.push(peer);
      }
    };
    own = found.own;
    await Promise.all(Array.from({ length: width }, next));
    greeted.sort((a, b) => (a.address < b.address ? -1 : 1));
    report(greeted, found.problem);
    options.onOwnAddress?.(own);
  }

  /** Logs only differences to the last report. */
  function report(now: readonly Peer[], problemNow: string | undefined): void {
    const before = new Map(peers.map((peer) => [peer.address, peer.problem ?? ""]));
    for (const peer of now) {
      if (before.get(peer.address) === (peer.problem ?? "")) continue;
      if (peer.problem === undefined) events.log("info", `found the node ${peer.node} at ${peer.address}`);
      else events.log("warn", `${peer.address} does not count as a node: ${peer.problem}`);
    }
    if (problemNow !== undefined && problemNow !== problem) events.log("warn", problemNow);
    peers = now;
    problem = problemNow;
  }

  const rounds = repeat(
    discover,
    () => (options.pollMilliseconds ?? 5000) * (0.8 + 0.4 * Math.random()),
    (error) => events.log("error", `the search for peers: ${error.message}`),
  );
  return {
    node,
    authentication: greeter,
    peers: () => peers,
    view: () => converge.view(),
    problem: () => nameClaim.problem() ?? problem,
    size: () => Math.max(1, converge.view().nodes.length),
    start() {
      if (invalidCookie !== undefined) events.log("error", invalidCookie);
      nameClaim.start();
      converge.start();
      if (greeter !== undefined) rounds.start();
    },
    async stop() {
      await Promise.all([rounds.stop(), converge.stop(), nameClaim.stop()]);
    },
  };
}

/** @returns undefined if it is this node itself */
async function greet(greeter: Authentication, address: string): Promise<Peer | undefined> {
  const greeted = await greeter.greet(address);
  if (greeted.outcome === "itself") return undefined;
  if (greeted.outcome === "peer") return { address, node: greeted.node, version: greeted.version };
  return { address, ...(greeted.node === undefined ? {} : { node: greeted.node }), problem: greeted.reason };
}
