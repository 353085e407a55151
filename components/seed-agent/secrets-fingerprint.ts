import { createHmac } from "node:crypto";
import { canonicalJson } from "../lib/json.ts";

/**
 * Changes with the secrets, and reveals nothing of them: keyed with the cookie, which is random and secret itself. So it
 * can be where others read it, such as in a machine's configuration.
 */
export function secretsFingerprint(secrets: Readonly<Record<string, string>>): string {
  return createHmac("sha256", secrets["RELEASE_COOKIE"] ?? "")
    .update(canonicalJson(secrets))
    .digest("hex")
    .slice(0, 32);
}
