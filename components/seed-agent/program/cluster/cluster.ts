import type { NodeRecord } from "../domain.ts";

/** The peers of this node. Without `DNS_CLUSTER_QUERY` or a cookie there are none, and everything works for one node. */
export interface Cluster {
  /** This node's id: `SEED_NODE`, else Fly's machine id, else the host name with a random suffix that is kept on disk. */
  readonly node: string;
  /** Peers that were found by DNS and proved that they have the cookie, and others with the reason why not. */
  peers(): readonly Peer[];
  /** In words: another process has this node's name, DNS does not answer, the cookie is too short. */
  problem(): string | undefined;
  /** Nodes of the store that were seen lately, and whether this one is cut off from the store. */
  view(): ClusterView;
  start(): void;
  stop(): Promise<void>;
}

export interface Peer {
  /** `host:port`. */
  readonly address: string;
  readonly node?: string;
  readonly version?: string;
  /** Why it does not count, in words: no answer, wrong cookie. */
  readonly problem?: string;
}

export interface ClusterView {
  readonly nodes: readonly NodeRecord[];
  /** Since when the store can't be reached, in ms since 1970. This node goes on with what it has. */
  readonly cutOffSince?: number;
}

/** What the roll-out needs of this node and its store; `rollOut` itself runs on the leader, and can be repeated. */
export interface RolloutOptions {
  /** The change that is rolled out, which this node has claimed: no order of a node without the claim is written. */
  readonly change: string;
  /** How long all nodes but the first are watched, in ms; the first has the whole probation. */
  readonly watchMilliseconds: number;
  /** A node that neither runs the version nor reports a problem within this time counts as unhealthy, in ms. */
  readonly nodeMilliseconds: number;
  readonly signal: AbortSignal;
}

export type RolloutResult =
  | { readonly outcome: "active"; readonly nodes: readonly string[] }
  | { readonly outcome: "rolled-back"; readonly node: string; readonly reason: string }
  /** The leadership or the store was lost: whoever leads next goes on. */
  | { readonly outcome: "interrupted"; readonly reason: string };
