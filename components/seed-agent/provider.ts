import type { SeedAgentSpec } from "./spec.ts";

/** Where seed agents run. Each is one folder with a `provider.ts`, and one line in `providers.ts`. */
export interface SeedAgentProvider {
  /**
   * Converges the live state to the spec: creates, updates in place, scales, and repairs whatever is missing or different.
   * Idempotent and re-entrant: the next deployment finishes one that was killed half-way. Waits until every node is healthy
   * and runs the release. Never deletes data.
   *
   * @throws SeedAgentError with the remedy; a deployment that is not healthy is rolled back where the provider can
   */
  deploy(spec: SeedAgentSpec, options: DeployOptions): Promise<Deployed>;
  /**
   * The live state, in a constant number of requests; undefined if nothing is deployed.
   * @throws SeedAgentError if the provider can't be reached
   */
  observe(name: string, options: ObserveOptions): Promise<Observed | undefined>;
  /** How `observed` differs from the spec, in words for a preview; undefined if it does not. Pure. */
  drift(spec: SeedAgentSpec, release: string, observed: Observed | undefined): string | undefined;
  /** Succeeds if it is already gone, and throws if it can't be removed. @returns in words, where the kept data is */
  remove(name: string, options: ObserveOptions & { readonly destroyData: boolean }): Promise<readonly string[]>;
  /**
   * Moves the data of a removed seed agent to its new name, after a rename. Idempotent. Without this method, the data stays
   * under the former name.
   */
  adopt?(former: string, name: string, options: ObserveOptions): Promise<void>;
  /** What a user must do so that the nodes start after a reboot of this machine; undefined if nothing. */
  bootInstructions?(name: string, options: ObserveOptions): string | undefined;
  /** Connects to the endpoints, if `deploy` returns no URL. @throws SeedAgentError if that fails */
  connect?(spec: SeedAgentSpec): Promise<Connection>;
  /** The log's tail of all nodes. */
  logs(name: string, options: ObserveOptions & { readonly lines: number }): Promise<string>;
}

export interface ObserveOptions {
  /** The id of the installation. All names outside of this machine contain it. */
  readonly installation: string;
  /** The installation's folder for seed agents. */
  readonly folder: string;
  readonly spec?: SeedAgentSpec | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
}

export interface DeployOptions extends ObserveOptions {
  /**
   * Secret values: the spec's secrets, RELEASE_COOKIE and SEED_CONTROL_TOKEN. They are passed by stdin, a 0600 file or a
   * secret of the platform; never by argv, a log, an image layer or a manifest on disk.
   */
  readonly secrets: Readonly<Record<string, string>>;
  /** Identifies the deployed program: its version and a hash of its bundle. */
  readonly release: string;
}

export interface Deployed {
  /** The origin of its endpoints as seen from this machine; undefined if this machine can't reach them. */
  readonly url: string | undefined;
  readonly nodes: number;
}

export interface Connection {
  /** The origin of the endpoints. */
  readonly url: string;
  /** It also closes when this process exits, and does not keep this process running. */
  close(): void;
}

export interface Observed {
  readonly release: string | undefined;
  readonly nodes: readonly { readonly id: string; readonly healthy: boolean; readonly problem?: string }[];
  readonly url: string | undefined;
  /** The provider's own settings as they are live, under the names that `drift` compares. */
  readonly settings: Readonly<Record<string, string>>;
}

/** An operation of a provider failed. The message contains the reason and the remedy, and no secret. */
export class SeedAgentError extends Error {
  override readonly name = "SeedAgentError";
}
