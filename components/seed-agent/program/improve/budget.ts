import * as z from "zod/mini";
import type { Settings } from "../settings.ts";
import type { Store } from "../store/store.ts";
import type { Budget } from "./improver.ts";

/** What was spent in a day, as the store keeps it. */
const spent = z.object({ day: z.string(), changes: z.number(), usd: z.number() });
type Spent = z.output<typeof spent>;

const name = "improve.budget";

/** What a proposal may spend; it is spent from the moment when it is reserved, also if the node dies then. */
export interface Reservation {
  readonly day: string;
  readonly usd: number;
}

type Settable = Pick<Store, "setting" | "setSetting" | "now">;
type Limits = Pick<Settings, "SEED_CHANGES_PER_DAY" | "SEED_USD_PER_DAY" | "SEED_USD_PER_CHANGE">;

/**
 * The budgets of a day, which all nodes share. The day is that of the database's clock (UTC). A clock that is set back
 * does not begin an earlier day again.
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

  /** For a change, and what the model may cost until it is written. @returns why it is not possible, in words */
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

  /** One change more of the same proposal. @returns whether that is possible */
  async reserveChange(): Promise<boolean> {
    let isPossible = false;
    await this.#write((today) => {
      isPossible = today.changes < this.#limits.SEED_CHANGES_PER_DAY;
      return isPossible ? { ...today, changes: today.changes + 1 } : undefined;
    });
    return isPossible;
  }

  /** What of a reservation was really spent. */
  async settle({ day, usd }: Reservation, actual: { readonly usd: number; readonly hasSubmitted: boolean }) {
    await this.#write((today) => {
      // It was spent in a day that is over.
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

/** In UTC. */
export function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

function parsed(text: string | undefined): Spent | undefined {
  if (text === undefined) return undefined;
  return spent.parse(JSON.parse(text));
}

/** Sums of dollars are exact to a millionth. */
function rounded(usd: number): number {
  return Math.round(usd * 1e6) / 1e6;
}
