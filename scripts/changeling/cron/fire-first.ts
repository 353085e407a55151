import { deployedFleet } from "../../../components/cron/inspect/deployed.ts";
import { runReport, wentWell } from "../../../components/cron/run-text.ts";
import type { Inspected } from "../context.ts";
import { fire } from "./fire.ts";

/** The one changeling of the example fleet that needs no key and no model. */
const example = "todo-ledger";

/**
 * Which changeling `npm start` fires: the example's, unless it is paused. If a user removed it, the first enabled one.
 */
export function firstToFire<Each extends { readonly name: string; readonly enabled: boolean }>(
  changelings: readonly Each[],
): Each | undefined {
  const first = changelings.find(({ name }) => name === example) ?? changelings.find(({ enabled }) => enabled);
  return first?.enabled ? first : undefined;
}

/** Fires it, and waits for the end of the run; undefined if there is none. @throws if it was skipped */
export async function firedFirst(
  context: Inspected,
  say: (text: string) => void,
): Promise<{ readonly report: string; readonly wentWell: boolean } | undefined> {
  const { changelings } = await deployedFleet(context);
  const first = firstToFire(changelings);
  if (first === undefined) return undefined;
  say(`\nFiring ${first.name} now, as its schedule would …`);
  const fired = await fire(context, first.name);
  if ("skipped" in fired) throw new Error(`${first.name} was not fired: ${fired.skipped}`);
  const run = await fired.end();
  return { report: runReport(run), wentWell: wentWell(run) };
}
