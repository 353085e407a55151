import type { Version } from "../domain.ts";
import type { HostLimits, StartHost, VersionHost } from "./version-host.ts";

/** How often the process of the code under test is started. */
const maxStarts = 5;

/** The code under test. Its process is started when it is needed, and restarted after it has ended. */
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

  /** @throws HostError if it does not start; later calls fail the same way */
  host(): Promise<VersionHost> {
    if (this.#host === undefined) {
      this.#starts += 1;
      const host = this.#startHost(this.#version, this.#limits);
      this.#host = host;
      void host
        .then(({ ended }) => ended)
        .then(() => {
          if (this.#host === host && this.#starts < maxStarts) this.#host = undefined;
        })
        .catch(() => {});
    }
    return this.#host;
  }

  /** Starts the process in advance. The first call of `host` gets the error, if there is one. */
  warm(): void {
    this.host().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host?.then((host) => host.end()).catch(() => {});
  }
}
