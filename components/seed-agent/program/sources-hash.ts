import { digestOfJson } from "../../lib/json.ts";
import type { Sources } from "./domain.ts";

/** SHA-256 in hex of the canonical JSON of the sources: the hash of a version. */
export function sourcesHash(sources: Sources): string {
  return digestOfJson(sources);
}
