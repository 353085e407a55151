/** How many requests to Modal go on at once, at most. */
export const modalWidth = 24;

/** Runs `work` on every item, at most `width` at a time. @returns the results, in the items' order */
export async function inParallel<Item, Result>(
  items: Iterable<Item>,
  width: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const all = [...items];
  const waiting = all.entries();
  const worker = async () => {
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, all.length) }, worker));
  return results;
}
