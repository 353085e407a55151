import * as z from "zod/mini";
import type { Settings } from "../settings.ts";
import type { Store } from "../store/store.ts";
import type { Budget } from "./improver.ts";

/** The spending of one day, as the store keeps it. */
const spent = z.object({ day: z.string(), changes: z.number(), usd: z.number() });
type Spent = z.output<typeof spent>;

const name = "improve.budget";

/** The money that a proposal may spend. It counts as spent when it is reserved, also if the node dies afterwards. */
export interface Reservation {
  readonly day: string;
  readonly usd: number;
}

type Settable = Pick<Store, "setting" | "setSetting" | "now">;
type Limits = Pick<Settings, "SEED_CHANGES_PER_DAY" | "SEED_USD_PER_DAY" | "SEED_USD_PER_CHANGE">;

/**
 * The daily budgets, which all nodes share. Days are those of the database's clock (UTC). If that clock is set back, the
 * budget of the later day still applies.
 */
export class DayBudget {
  readonly #store: Settable;
  readonly #limits: Limits;

  constructor(store: Settable, limits: Limits) {
    this.#store = store;
    this.#limits = limits;
  }

  async read(): Promise<Budget> {
    const { changes, usd } = (await this.#today()).spent;
    const { SEED_CHANGES_PER_DAY: changesPerDay, SEED_USD_PER_DAY: usdPerDay } = this.#limits;
    return { changesToday: changes, changesPerDay, usdToday: usd, usdPerDay };
  }

  /** Reserves a change, and the money for it. @returns the reservation, or why there is no budget left */
  async reserve(): Promise<Reservation | string> {
    const { SEED_CHANGES_PER_DAY, SEED_USD_PER_DAY, SEED_USD_PER_CHANGE } = this.#limits;
    let refusal: string | undefined;
    let usd = 0;
    const { day } = await this.#write((today) => {
      usd = Math.min(SEED_USD_PER_CHANGE, rounded(SEED_USD_PER_DAY - today.usd));
      refusal = undefined;
      if (today.changes >= SEED_CHANGES_PER_DAY)
        refusal = `${today.changes} changes were proposed today, and SEED_CHANGES_PER_DAY is ${SEED_CHANGES_PER_DAY}`;
      else if (usd <= 0) refusal = `$${today.usd} were spent today, and SEED_USD_PER_DAY is ${SEED_USD_PER_DAY}`;
      return refusal === undefined
        ? { ...today, changes: today.changes + 1, usd: rounded(today.usd + usd) }
        : undefined;
    });
    return refusal ?? { day, usd };
  }

  /** Reserves another change of the same proposal. @returns whether one was left */
  async reserveChange(): Promise<boolean> {
    let isPossible = false;
    await this.#write((today) => {
      isPossible = today.changes < this.#limits.SEED_CHANGES_PER_DAY;
      return isPossible ? { ...today, changes: today.changes + 1 } : undefined;
    });
    return isPossible;
  }

  /** Replaces a reservation with the actual spending. */
  async settle({ day, usd }: Reservation, actual: { readonly usd: number; readonly hasSubmitted: boolean }) {
    await this.#write((today) => {
      // That day's budget is over.
      if (today.day !== day) return undefined;
      return {
        day,
        changes: Math.max(0, today.changes - (actual.hasSubmitted ? 0 : 1)),
        usd: Math.max(0, rounded(today.usd - usd + actual.usd)),
      };
    });
  }

  async #write(change: (today: Spent) => Spent | undefined): Promise<Spent> {
    for (;;) {
      const { spent: today, text } = await this.#today();
      const after = change(today);
      if (after === undefined || (await this.#store.setSetting(name, JSON.stringify(after), text))) return today;
    }
  }

  async #today(): Promise<{ readonly spent: Spent; readonly text: string | undefined }> {
    const [text, now] = await Promise.all([this.#store.setting(name), this.#store.now()]);
    const day = dayOf(now);
    const before = parsed(text);
    return { text, spent: before === undefined || before.day < day ? { day, changes: 0, usd: 0 } : before };
  }
}

/** @returns the day in UTC, such as 2026-01-31 */
export function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

function parsed(text: string | undefined): Spent | undefined {
  if (text === undefined) return undefined;
  return spent.parse(JSON.parse(text));
}

/** Rounds to a millionth of a dollar, so that sums are exact. */
function rounded(usd: number): number {
  return Math.round(usd * 1e6) / 1e6;
}
