import { createHash } from "node:crypto";

/** JSON with sorted keys, so that equal data has the same text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The SHA-256 of a value's canonical JSON, in hex: equal data has the same. */
export function digestOfJson(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}
