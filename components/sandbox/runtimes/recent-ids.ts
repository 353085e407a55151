const maxIds = 10_000;
/** Real ids have about 30 characters. */
const maxLength = 200;

/**
 * Ids that an agent's CLI printed. Any program in the sandbox can print more of them, without end, so the oldest are
 * forgotten, and overlong ones are ignored.
 */
export class RecentIds {
  readonly #ids = new Set<string>();

  get size(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(id: string): void {
    if (id.length > maxLength) return;
    this.#ids.add(id);
    for (const oldest of this.#ids) {
      if (this.#ids.size <= maxIds) break;
      this.#ids.delete(oldest);
    }
  }

  delete(id: string): void {
    this.#ids.delete(id);
  }

  clear(): void {
    this.#ids.clear();
  }
}
