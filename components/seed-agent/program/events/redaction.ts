import { withoutSecrets } from "../../../lib/literal-secrets.ts";
import { type Settings, variables } from "../settings.ts";

/** Shorter values are not redacted: they occur in ordinary words. */
const minLength = 6;

/** The values of all settings that are secret. */
export function secretsOf(settings: Settings): readonly string[] {
  return Object.entries(variables).flatMap(([name, variable]) => {
    const value = settings[name as keyof Settings];
    if (!("secret" in variable) || typeof value !== "string") return [];
    const password = URL.parse(value)?.password ?? "";
    return [value, password, decodedOr(password)];
  });
}

/**
 * @returns a function that replaces secrets with `***`, also percent-encoded, in base64, and single lines of a secret with
 *   several lines. It redacts passwords in URLs, and texts that look like a key of a well-known service, too
 */
export function redaction(secrets: readonly string[]): (text: string) => string {
  const spellings = secrets
    .flatMap((secret) => [secret, ...secret.split(/\r?\n/).map((line) => line.trim())])
    .filter((secret) => secret.length >= minLength)
    .flatMap((secret) => [
      ...[secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)],
      ...[Buffer.from(secret).toString("base64"), Buffer.from(secret).toString("base64url")],
    ]);
  // The longest first: one secret may be a part of another.
  const ordered = [...new Set(spellings)].sort((a, b) => b.length - a.length);
  return (text) => {
    let redacted = text;
    for (const spelling of ordered) redacted = redacted.replaceAll(spelling, "***");
    return withoutSecrets(redacted.replace(/(\/\/[^\s/:@]*:)[^\s/@]+@/g, "$1***@"));
  };
}

function decodedOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
