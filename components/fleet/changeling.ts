/** What a fleet file declares, after defaults: plain data, every option decided. */

export type Kind = "cron";
export type Provider = "local" | "modal";

/** How the code gets to an agent on Modal (spec 000, "Building images"). */
export type ImageStrategy = "clone" | "snapshot" | "pinned" | "custom";

/** A `cron` changeling: a schedule fires, a fresh agent works on a new branch and ends (spec 000). */
export interface Changeling {
  /** Unique in the fleet; `^[a-z][a-z0-9-]{0,39}$`. */
  readonly name: string;
  readonly kind: Kind;
  readonly provider: Provider;
  /** A stock changeling's type, or any agent type that mngr knows. */
  readonly agentType: string;
  /** True for a claude-based type: its agents never end by themselves, they settle. */
  readonly isConversational: boolean;
  /** Five-field cron expression, read in `timezone`. */
  readonly schedule: string;
  /** IANA time zone, for instance `Europe/Berlin`. */
  readonly timezone: string;
  readonly branch: string;
  readonly enabled: boolean;
  /** Names of the environment variables whose values the agent gets as secrets. */
  readonly secrets: readonly string[];
  /** True when the file lists `secrets` itself: then all of them are required. */
  readonly secretsAreExplicit: boolean;
  readonly template: string | undefined;
  readonly initialMessage: string | undefined;
  readonly buildArgs: readonly string[];
  readonly agentArgs: readonly string[];
  /** Plain, non-secret environment of the agent. */
  readonly env: Readonly<Record<string, string>>;
  /** An absolute path on this machine, or a git URL. */
  readonly repo: string;
  /** Modal alone: where its agents clone from and push to. https, on loopback also http; without credentials. */
  readonly remote: string | undefined;
  readonly image: ImageStrategy;
  /** `pinned` alone: how many commits of history the tarball holds. */
  readonly historyDepth: number;
  /** `pinned` alone: whether the commit may be one that the remote hasn't. */
  readonly allowUnpushed: boolean;
  /** `snapshot` alone: after how many seconds an update makes a new one; undefined: never. */
  readonly snapshotMaxAge: number | undefined;
  /** Modal alone: whether a deploy is verified by a cheap call of its function. */
  readonly verify: "call" | "none";
  readonly timeoutSeconds: number;
  readonly overlap: "skip" | "queue";
  /** Whether a schedule time that passed while the machine slept is made up for, once. */
  readonly catchUp: boolean;
  /** How long a conversational agent must have been waiting before its run counts as done. */
  readonly settleSeconds: number;
  /** How many ended runs keep their (stopped) agent for `mngr connect`. */
  readonly keepRuns: number;
  readonly description: string | undefined;
  readonly renamedFrom: string | undefined;
}

export interface Fleet {
  /** Absolute path of the file that declared it. */
  readonly file: string;
  /** mngr profile that puts the fleet's agents aside; undefined: the person's own. */
  readonly mngrProfile: string | undefined;
  /** In the order of their names. */
  readonly changelings: readonly Changeling[];
}
