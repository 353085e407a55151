import { randomBytes } from "node:crypto";
import * as z from "zod/mini";

/** The secrets that `up` generates once for a seed agent. The stack stores them encrypted. */
export const credentials = z.object({
  /** The value of the option `rotate` when they were generated. */
  rotate: z.string(),
  RELEASE_COOKIE: z.string().check(z.minLength(32)),
  SEED_CONTROL_TOKEN: z.string().check(z.minLength(32)),
});
export type Credentials = z.output<typeof credentials>;

/**
 * Keeps the former credentials unless `rotate` has changed.
 *
 * @param former the last output of the Command that generated them; undefined or empty before the first one
 */
export function credentialsFor(rotate: string, former: string | undefined): Credentials {
  const kept = parsed(former);
  if (kept !== undefined && kept.rotate === rotate) return kept;
  return { rotate, RELEASE_COOKIE: randomToken(), SEED_CONTROL_TOKEN: randomToken() };
}

/** @throws if they are not credentials; the error quotes nothing of them */
export function readCredentials(text: string): Omit<Credentials, "rotate"> {
  const found = parsed(text);
  if (found === undefined)
    throw new Error(
      "its credentials in the stack's state can't be read; to generate new ones, raise its option rotate",
    );
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

function randomToken(): string {
  return randomBytes(32).toString("base64url");
}
