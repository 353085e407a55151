/** How long a version that was given up is refused, in ms. */
const refusedMilliseconds = 10 * 60_000;

/** The versions that this node has given up lately, with the reasons. */
export class RefusedVersions {
  readonly #refused = new Map<string, { readonly until: number; readonly reason: string }>();

  add(version: string, reason: string): void {
    // v0 is the last resort.
    if (version === "v0") return;
    this.#refused.set(version, { until: performance.now() + refusedMilliseconds, reason });
  }

  /** @returns why the version is refused, or undefined if it is not */
  reason(version: string): string | undefined {
    const refused = this.#refused.get(version);
    return refused !== undefined && performance.now() < refused.until ? refused.reason : undefined;
  }
}
