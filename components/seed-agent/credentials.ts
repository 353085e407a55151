import { randomBytes } from "node:crypto";
import * as z from "zod/mini";

/** What `up` makes once for a seed agent, and the stack keeps encrypted. */
export const credentials = z.object({
  /** The option `rotate` with which they were made. */
  rotate: z.string(),
  RELEASE_COOKIE: z.string().check(z.minLength(32)),
  SEED_CONTROL_TOKEN: z.string().check(z.minLength(32)),
});
export type Credentials = z.output<typeof credentials>;

/**
 * Keeps the former ones unless `rotate` has changed.
 *
 * @param former the last output of the Command that made them; undefined or empty before the first one
 */
export function credentialsFor(rotate: string, former: string | undefined): Credentials {
  const kept = parsed(former);
  if (kept !== undefined && kept.rotate === rotate) return kept;
  return { rotate, RELEASE_COOKIE: made(), SEED_CONTROL_TOKEN: made() };
}

/** @throws if they are not credentials; the error contains nothing of them */
export function readCredentials(text: string): Omit<Credentials, "rotate"> {
  const found = parsed(text);
  if (found === undefined)
    throw new Error("its credentials are not readable in the stack's state; raise its option rotate");
  const { rotate: _, ...values } = found;
  return values;
}

/** JSON.parse and zod would quote the text. */
function parsed(text: string | undefined): Credentials | undefined {
  try {
    return credentials.safeParse(JSON.parse(text ?? "")).data;
  } catch {
    return undefined;
  }
}

function made(): string {
  return randomBytes(32).toString("base64url");
}
