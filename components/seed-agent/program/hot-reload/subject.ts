import type { Version } from "../domain.ts";
import type { HostLimits, StartHost, VersionHost } from "./version-host.ts";

/** How often code under test is started again after it ended its process. */
const mostStarts = 5;

/** Code under test: its process is started when it is needed, and again when it has ended. */
export class Subject {
  readonly bundle: string;
  readonly #version: Pick<Version, "id" | "bundle">;
  readonly #startHost: StartHost;
  readonly #limits: HostLimits;
  #host: Promise<VersionHost> | undefined;
  #starts = 0;

  constructor(version: Pick<Version, "id" | "bundle">, startHost: StartHost, limits: HostLimits) {
    this.bundle = version.bundle;
    this.#version = version;
    this.#startHost = startHost;
    this.#limits = limits;
  }

  /** @throws HostError if it does not start; then later calls fail alike */
  host(): Promise<VersionHost> {
    if (this.#host === undefined) {
      this.#starts += 1;
      const host = this.#startHost(this.#version, this.#limits);
      this.#host = host;
      void host
        .then(({ ended }) => ended)
        .then(() => {
          if (this.#host === host && this.#starts < mostStarts) this.#host = undefined;
        })
        .catch(() => {});
    }
    return this.#host;
  }

  /** Starts it now. Whoever needs it first gets the error, if there is one. */
  warm(): void {
    this.host().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host?.then((host) => host.end()).catch(() => {});
  }
}
