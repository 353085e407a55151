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
