import type { Events } from "../events.ts";
import { type Authentication, authentication, cookieProblem } from "./authentication.ts";
import type { Cluster, ClusterView, Peer } from "./cluster.ts";
import type { Discovery } from "./discovery.ts";
import type { NameClaim } from "./name-claim.ts";
import { inTurns } from "./turns.ts";

export interface MembershipOptions {
  readonly node: string;
  /** undefined without `DNS_CLUSTER_QUERY`: no peers. */
  readonly discovery?: Discovery | undefined;
  /** `RELEASE_COOKIE`. */
  readonly cookie?: string | undefined;
  /** What this node runs. */
  readonly version: () => string;
  readonly converge: { start(): void; stop(): Promise<void>; view(): ClusterView };
  readonly nameClaim: NameClaim;
  readonly events: Pick<Events, "log">;
  /** This node's address, as its peers see it; undefined when DNS no longer has it. */
  readonly onOwnAddress?: (address: string | undefined) => void;
  /** How often it looks for peers, in ms; varies by a fifth, so that nodes that start together don't stay in step. */
  readonly pollMilliseconds?: number;
}

export interface Membership extends Cluster {
  /** For the routes that peers call; undefined without peers. */
  readonly authentication: Authentication | undefined;
  /** Nodes seen lately in the store; this one counts in any case. */
  size(): number;
}

/** Greets at most this many peers at a time. */
const width = 8;

/** Finds peers, and whether they have the cookie. What nodes run does not depend on it: that is in the store. */
export function membership(options: MembershipOptions): Membership {
  const { node, discovery, cookie, version, converge, nameClaim, events } = options;
  const unfit = discovery === undefined ? undefined : cookieProblem(cookie ?? "");
  const greeter =
    discovery === undefined || cookie === undefined || unfit !== undefined
      ? undefined
      : authentication({ node, cookie, version });
  let peers: readonly Peer[] = [];
  let problem = unfit;
  let own: string | undefined;

  async function look(): Promise<void> {
    if (discovery === undefined || greeter === undefined) return;
    const found = await discovery.look();
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

  /** Logs what has changed. */
  function report(now: readonly Peer[], wrong: string | undefined): void {
    const before = new Map(peers.map((peer) => [peer.address, peer.problem ?? ""]));
    for (const peer of now) {
      if (before.get(peer.address) === (peer.problem ?? "")) continue;
      if (peer.problem === undefined) events.log("info", `found the node ${peer.node} at ${peer.address}`);
      else events.log("warn", `${peer.address} does not count as a node: ${peer.problem}`);
    }
    if (wrong !== undefined && wrong !== problem) events.log("warn", wrong);
    peers = now;
    problem = wrong;
  }

  const turns = inTurns(
    look,
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
      if (unfit !== undefined) events.log("error", unfit);
      nameClaim.start();
      converge.start();
      if (greeter !== undefined) turns.start();
    },
    async stop() {
      await Promise.all([turns.stop(), converge.stop(), nameClaim.stop()]);
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
