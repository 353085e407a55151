import { createHmac } from "node:crypto";
import { canonicalJson } from "../lib/json.ts";

/**
 * A hash that changes with the secrets and reveals nothing about them, because its key is the cookie, which is random and
 * secret. So it can be stored where others read it, such as in a machine's configuration.
 */
export function secretsFingerprint(secrets: Readonly<Record<string, string>>): string {
  return createHmac("sha256", secrets["RELEASE_COOKIE"] ?? "")
    .update(canonicalJson(secrets))
    .digest("hex")
    .slice(0, 32);
}
