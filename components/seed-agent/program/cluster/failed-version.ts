export interface Failure {
  readonly version: string;
  readonly reason: string;
}

/** The version that failed on this node, if one did. It is tried again after a pause, which doubles up to 20 times. */
export class FailedVersion {
  readonly #firstPause: number;
  #failed: (Failure & { readonly pause: number; readonly retryAt: number }) | undefined;

  /** @param firstPause in ms */
  constructor(firstPause: number) {
    this.#firstPause = firstPause;
  }

  get(): Failure | undefined {
    return this.#failed;
  }

  set({ version, reason }: Failure): void {
    const isAgain = this.#failed?.version === version;
    const pause = isAgain ? Math.min((this.#failed?.pause ?? 0) * 2, this.#firstPause * 20) : this.#firstPause;
    this.#failed = { version, reason, pause, retryAt: performance.now() + pause };
  }

  clear(): void {
    this.#failed = undefined;
  }

  /** @param isOrdered if the leader of a roll-out orders the version, the leader decides, and this node does not retry */
  mayTry(version: string, isOrdered: boolean): boolean {
    if (this.#failed?.version !== version) return true;
    return !isOrdered && performance.now() >= this.#failed.retryAt;
  }
}
