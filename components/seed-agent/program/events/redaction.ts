import { withoutSecrets } from "../../../lib/literal-secrets.ts";
import { type Settings, variables } from "../settings.ts";

/** A shorter value would be found in innocent words. */
const leastLength = 6;

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
 * @returns a function that replaces secrets by `***`, also where they are percent-encoded or in base64, each line of one
 *   with several lines, passwords in URLs, and what has the form of a well-known service's key
 */
export function redaction(secrets: readonly string[]): (text: string) => string {
  const spellings = secrets
    .flatMap((secret) => [secret, ...secret.split(/\r?\n/).map((line) => line.trim())])
    .filter((secret) => secret.length >= leastLength)
    .flatMap((secret) => [
      ...[secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)],
      ...[Buffer.from(secret).toString("base64"), Buffer.from(secret).toString("base64url")],
    ]);
  // The longest first: one may be a part of another.
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
