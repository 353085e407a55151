import { distance } from "fastest-levenshtein";

/** The likely intended candidate: one or two typos away (more for long words), or a completion; undefined if none. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const plain = simplified(word);
  let best: string | undefined;
  let least = Math.max(1, Math.floor(plain.length / 3)) + 1;
  for (const candidate of candidates) {
    const other = simplified(candidate);
    const apart = plain.length > 2 && other.startsWith(plain) ? 1 : distance(plain, other);
    if (apart < least) {
      best = candidate;
      least = apart;
    }
  }
  return best;
}

/** Case and the choice between `-`, `_` and a space don't count as typos. */
function simplified(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, "");
}
