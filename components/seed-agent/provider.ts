import type { SeedAgentSpec } from "./spec.ts";

/** Where seed agents run. Each is one folder with a `provider.ts`, and one line in `providers.ts`. */
export interface SeedAgentProvider {
  /**
   * Converges what runs to the spec: creates, updates in place, scales, repairs what is missing or different. Idempotent
   * and re-entrant: a deployment that was killed half-way is finished by the next one. Waits until every node is healthy
   * with the spec's release. Data is never deleted.
   *
   * @throws SeedAgentError with the remedy; a deployment that is not healthy is rolled back where the provider can
   */
  deploy(spec: SeedAgentSpec, options: DeployOptions): Promise<Deployed>;
  /** What runs, in a constant number of requests. undefined: nothing. @throws SeedAgentError if it can't be asked */
  observe(name: string, options: ObserveOptions): Promise<Observed | undefined>;
  /** Why `observed` differs from the spec, in words for a preview; undefined if it does not. Pure. */
  drift(spec: SeedAgentSpec, release: string, observed: Observed | undefined): string | undefined;
  /** Succeeds if it is already gone, and fails if it can't be removed. @returns where the kept data is, in words */
  remove(name: string, options: ObserveOptions & { readonly destroyData: boolean }): Promise<readonly string[]>;
  /**
   * Gives what is kept of a removed seed agent to another one: it was renamed. Idempotent. Without it the data stays under
   * the former name.
   */
  adopt?(former: string, name: string, options: ObserveOptions): Promise<void>;
  /** Has to be done by a person for the nodes to start again after a reboot of this machine; undefined: nothing. */
  bootInstructions?(name: string, options: ObserveOptions): string | undefined;
  /** A way to the endpoints where `deploy` returns no URL. @throws SeedAgentError if there is none */
  reach?(spec: SeedAgentSpec): Promise<Reached>;
  /** The log's tail of all nodes. */
  logs(name: string, options: ObserveOptions & { readonly lines: number }): Promise<string>;
}

/** What is known of the stack, and who hears of progress. */
export interface ObserveOptions {
  /** The id of the installation, which all names outside of this machine contain. */
  readonly installation: string;
  /** The installation's folder for seed agents. */
  readonly folder: string;
  readonly spec?: SeedAgentSpec | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
}

export interface DeployOptions extends ObserveOptions {
  /**
   * Secret values: the spec's secrets, RELEASE_COOKIE and SEED_CONTROL_TOKEN. They reach the nodes by stdin, a 0600 file or
   * a secret of the platform; never by an argv, a log, an image layer or a manifest on disk.
   */
  readonly secrets: Readonly<Record<string, string>>;
  /** Identifies the program that is deployed: its version and a hash of its bundle. */
  readonly release: string;
}

export interface Deployed {
  /** The origin of its endpoints as this machine reaches them; undefined if it does not. */
  readonly url: string | undefined;
  readonly nodes: number;
}

export interface Reached {
  /** The origin of the endpoints. */
  readonly url: string;
  /** Ends what leads there; the end of this process does it too, and does not wait for it. */
  close(): void;
}

export interface Observed {
  readonly release: string | undefined;
  readonly nodes: readonly { readonly id: string; readonly healthy: boolean; readonly problem?: string }[];
  readonly url: string | undefined;
  /** The provider's own settings as they are live, by the names that its drift compares. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A deployment that failed, with a reason and a remedy for a person. Contains no secret. */
export class SeedAgentError extends Error {
  override readonly name = "SeedAgentError";
}
