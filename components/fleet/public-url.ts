import { looksLikeSecret, shown } from "../lib/literal-secrets.ts";

/**
 * Checks a `public_url`, which must be the origin of an https URL.
 *
 * @param example for the remedy
 * @returns undefined if it is one
 */
export function publicUrlProblem(text: string, example: string): { message: string; remedy: string } | undefined {
  const url = URL.parse(text);
  if (url?.protocol !== "https:") {
    const message = `${looksLikeSecret(text) ? "it" : shown(text)} is not an https URL`;
    return { message, remedy: `write public_url = "${example}", or remove the line` };
  }
  if (url.username !== "" || url.password !== "" || url.href !== `${url.origin}/`) {
    const message = "it must be an origin, without a path, a query or a user name";
    return { message, remedy: `write public_url = "${url.origin}"` };
  }
  return undefined;
}
