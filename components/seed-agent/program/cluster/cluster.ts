import type { NodeRecord } from "../domain.ts";

/** The peers of this node. Without `DNS_CLUSTER_QUERY`, `SEED_PEERS` or a cookie it has none, and works alone. */
export interface Cluster {
  /** This node's id: `SEED_NODE`, else Fly's machine id, else the host name with a random suffix that is kept on disk. */
  readonly node: string;
  /** Every address that was discovered: nodes that proved that they have the cookie, and others with their problem. */
  peers(): readonly Peer[];
  /** For instance: another process has this node's name, DNS does not answer, the cookie is too short. */
  problem(): string | undefined;
  /** The nodes that reported to the store lately, and whether this node is cut off from it. */
  view(): ClusterView;
  start(): void;
  stop(): Promise<void>;
}

export interface Peer {
  /** `host:port`. */
  readonly address: string;
  readonly node?: string;
  readonly version?: string;
  /** Why it does not count as a node: no answer, or another cookie. */
  readonly problem?: string;
}

export interface ClusterView {
  readonly nodes: readonly NodeRecord[];
  /** Since when the store can't be reached, in ms since 1970. The node keeps running its version. */
  readonly cutOffSince?: number;
}

/** Options of `rollOut`, which runs on the leader and can be repeated. */
export interface RolloutOptions {
  /** The change that is rolled out. This node has claimed it; orders of a node without the claim are not written. */
  readonly change: string;
  /** How long each node is watched, in ms; the first is watched for its whole probation. */
  readonly watchMilliseconds: number;
  /** A node that does not run the version after this time counts as unhealthy, in ms. */
  readonly nodeMilliseconds: number;
  readonly signal: AbortSignal;
}

export type RolloutResult =
  | { readonly outcome: "active"; readonly nodes: readonly string[] }
  | { readonly outcome: "rolled-back"; readonly node: string; readonly reason: string }
  /** The leadership or the store was lost. The next leader continues. */
  | { readonly outcome: "interrupted"; readonly reason: string };
