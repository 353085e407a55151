/** What a fleet file declares, after defaults: plain data, every option decided. */

import type { WebSettings } from "../web/settings.ts";

export type Kind = "cron" | "web";
export type Provider = "local" | "docker" | "modal";
/** Where a schedule can fire. */
export type CronProvider = Exclude<Provider, "docker">;

/** How the code gets to an agent on Modal (spec 000, "Building images"). */
export type ImageStrategy = "clone" | "snapshot" | "pinned" | "custom";

/** A `cron` changeling: a schedule fires, a fresh agent works on a new branch and ends (spec 000). */
export interface DeclaredCron {
  /** Unique in the fleet; `^[a-z][a-z0-9-]{0,39}$`. */
  readonly name: string;
  readonly kind: "cron";
  readonly provider: CronProvider;
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
  /** Local alone: a schedule time is not fired later than this many seconds. */
  readonly catchUpWithinSeconds: number;
  /** Local alone: whether the base branch of a repository that is declared by its path is fetched before a run. */
  readonly fetch: boolean;
  /** How long a conversational agent must have been waiting before its run counts as done. */
  readonly settleSeconds: number;
  /** How many ended runs keep their (stopped) agent for `mngr connect`. */
  readonly keepRuns: number;
  readonly description: string | undefined;
  readonly renamedFrom: string | undefined;
}

/** A `web` changeling: a persistent agent that serves web pages, and whose data outlives it (spec 001). */
export interface DeclaredWeb {
  /** Unique in the fleet; `^[a-z][a-z0-9-]{0,39}$`. */
  readonly name: string;
  readonly kind: "web";
  readonly provider: Provider;
  /** The git URL or absolute path that its repo is cloned from; undefined: made from scratch for `agentType`. */
  readonly source: string | undefined;
  /** The source's branch that its own is kept up to date with. */
  readonly branch: string;
  /** Undefined with a source alone: then the source's create template `entrypoint` says it. */
  readonly agentType: string | undefined;
  /** True for a type that is Claude, as far as is known: it needs a key for the model. */
  readonly needsModelKey: boolean;
  /** False: stopped. */
  readonly enabled: boolean;
  /** What is copied into its repo. */
  readonly addPaths: readonly AddedPath[];
  /** Names of the environment variables whose values the agent gets as secrets. */
  readonly secrets: readonly string[];
  /** True when the file lists `secrets` itself: then all of them are required. */
  readonly secretsAreExplicit: boolean;
  /** Plain, non-secret environment of the agent. */
  readonly env: Readonly<Record<string, string>>;
  /** Where its data lives: an absolute path (local), a volume's name (docker, modal); undefined: a place of its own. */
  readonly data: string | undefined;
  /** Whether its data and repo go when it is removed. */
  readonly destroyData: boolean;
  /** The git remote that the agent's own commits are pushed to, on the branch `changelings/<name>`. */
  readonly remote: string | undefined;
  readonly memoryInGit: boolean;
  /** What `.changelings/settings.toml` says, every default filled in; undefined: there is no such file of ours. */
  readonly settings: WebSettings | undefined;
  /** How long it may take to come up with its server registered. */
  readonly startTimeoutSeconds: number;
  readonly agentArgs: readonly string[];
  readonly buildArgs: readonly string[];
  readonly description: string | undefined;
  readonly renamedFrom: string | undefined;
}

/** A file or folder beside the source that is copied into a changeling's repo. */
export interface AddedPath {
  /** Absolute. */
  readonly from: string;
  /** Relative to the repo, below it, with `/` between its parts. */
  readonly to: string;
}

export type Changeling = DeclaredCron | DeclaredWeb;

/** How the web changelings of a fleet are reached (spec 002). */
export interface Forwarding {
  /** What keeps the server running: this machine's supervisor, or docker. */
  readonly provider: "local" | "docker";
  readonly port: number;
  /** The address that it binds. */
  readonly host: string;
  /** The origin that browsers see, for instance `https://agents.example.com`; undefined: `http://localhost:<port>`. */
  readonly publicUrl: string | undefined;
  /** Whether each agent has a host of its own, or a path of the one origin. */
  readonly routing: "host" | "path";
  readonly codeTtlSeconds: number;
  readonly cookieTtlSeconds: number;
  /** How long an agent's server may take until its response begins; 0: for ever. */
  readonly responseTimeoutSeconds: number;
  /** IP addresses and ranges of servers in front whose `X-Forwarded-For` says who asks. */
  readonly trustedProxies: readonly string[];
  /** `docker` alone: `KEY=VALUE`, for building the server's image. */
  readonly buildArgs: readonly string[];
}

export interface Fleet {
  /** Absolute path of the file that declared it. */
  readonly file: string;
  /** mngr profile that puts the fleet's agents aside; undefined: the person's own. */
  readonly mngrProfile: string | undefined;
  /** How many runs may go on at once on this machine; undefined: as many as it has cores, at least 2. */
  readonly maxRunsAtOnce?: number | undefined;
  /** In the order of their names. */
  readonly changelings: readonly Changeling[];
  readonly forwarding: Forwarding;
}
