import * as z from "zod/mini";
import { digestOfJson } from "../../../lib/json.ts";
import type { Signal } from "../live/live.ts";
import type { Store } from "../store/store.ts";

const entries = z.array(z.object({ hash: z.string(), times: z.number(), until: z.number() }));
type Entry = z.output<typeof entries>[number];

const name = "improve.tried";
const max = 50;
const day = 24 * 3_600_000;

/**
 * A hash of the reason for a proposal. It leaves out counts, because a problem stays the same however often it occurs, and
 * rejections, which are results of proposals and not reasons.
 */
export function reasonHash(about: {
  readonly version: string;
  readonly goal: string;
  readonly signals: readonly Signal[];
}): string {
  const signals = about.signals
    .filter(({ kind }) => kind !== "rejected" && kind !== "rolled-back")
    .map(({ kind, summary }) => `${kind} ${summary}`)
    .toSorted();
  return digestOfJson({ ...about, signals });
}

/**
 * The reasons that any node has tried already. The same reason is tried again only after a pause, which doubles each time.
 * After a change became active, the version is another one, and so is the reason.
 */
export class AttemptedReasons {
  readonly #store: Pick<Store, "setting" | "setSetting" | "now">;

  constructor(store: Pick<Store, "setting" | "setSetting" | "now">) {
    this.#store = store;
  }

  /** @returns when the reason may be tried again, in ms since 1970; undefined if now */
  async until(hash: string): Promise<number | undefined> {
    const [{ tried }, now] = await Promise.all([this.#read(), this.#store.now()]);
    const until = tried.find((each) => each.hash === hash)?.until;
    return until !== undefined && until > now ? until : undefined;
  }

  /** @param first the first pause, in ms; it doubles each time, up to eight days */
  async remember(hash: string, first = day): Promise<void> {
    for (;;) {
      const [{ tried, text }, now] = await Promise.all([this.#read(), this.#store.now()]);
      const times = (tried.find((each) => each.hash === hash)?.times ?? 0) + 1;
      const until = now + Math.min(first * 2 ** (times - 1), 8 * day);
      const after = [...tried.filter((each) => each.hash !== hash), { hash, times, until }].slice(-max);
      if (await this.#store.setSetting(name, JSON.stringify(after), text)) return;
    }
  }

  async #read(): Promise<{ readonly tried: readonly Entry[]; readonly text: string | undefined }> {
    const text = await this.#store.setting(name);
    return { text, tried: text === undefined ? [] : entries.parse(JSON.parse(text)) };
  }
}
