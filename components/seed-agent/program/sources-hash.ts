import { createHash } from "node:crypto";
import { canonicalJson } from "../../lib/json.ts";
import type { Sources } from "./domain.ts";

/** SHA-256 in hex of the canonical JSON of the sources: the hash of a version. */
export function sourcesHash(sources: Sources): string {
  return createHash("sha256").update(canonicalJson(sources)).digest("hex");
}
