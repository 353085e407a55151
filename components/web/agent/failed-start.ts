import { masked } from "../../lib/masking.ts";
import { plainLines } from "../../lib/text.ts";

export interface FailedStart {
  /** The changeling's. */
  readonly name: string;
  /** Values by variable name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The agent's terminal contents; undefined or rejected if they can't be read. */
  readonly shown: () => Promise<string | undefined>;
  /** Rolls back to the previous version; returns what runs now. */
  readonly rollBack: () => Promise<string>;
}

/** Lines of an agent's terminal that an error quotes. */
const tailLines = 20;

/**
 * Rolls back after an agent did not start.
 *
 * @returns the error to fail with: the cause, what runs now, and the agent's log tail
 */
export async function failedStart(error: unknown, { name, secrets, shown, rollBack }: FailedStart): Promise<Error> {
  const hidden = Object.values(secrets);
  // Rolling back removes the terminal contents.
  const log = await tailOf(shown, hidden);
  const result = await rollBack().catch((problem: unknown) => `and it could not be rolled back: ${textOf(problem)}`);
  const tail = log === "" ? "" : `\nthe tail of its log:\n${log}`;
  return new Error(masked(`${name} did not start: ${textOf(error)}; ${result}${tail}`, hidden));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function tailOf(shown: FailedStart["shown"], secrets: readonly string[]): Promise<string> {
  const text = await shown().catch(() => undefined);
  return text === undefined ? "" : plainLines(unwrapped(text, secrets)).slice(-tailLines).join("\n");
}

/** A terminal breaks long lines, even in the middle of a secret. */
function unwrapped(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= 8)
    .map((secret) => secret.split("").map((char) => char.replace(/[\\^$.*+?()[\]{}|]/, "\\$&")))
    .reduce((each, chars) => each.replace(new RegExp(chars.join("\n?"), "g"), "***"), text);
}
