import pLimit from "p-limit";

/** The maximum number of concurrent requests to Modal. */
export const modalWidth = 24;

/** Runs `work` on every item, at most `width` at a time. @returns the results, in the items' order */
export function inParallel<Item, Result>(
  items: Iterable<Item>,
  width: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  return pLimit(width).map(items, work);
}
