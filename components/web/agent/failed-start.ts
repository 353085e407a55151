import { masked } from "../../lib/masking.ts";
import { plainLines } from "../../lib/text.ts";

export interface FailedStart {
  /** The changeling's. */
  readonly name: string;
  /** Values by the names of their variables. */
  readonly secrets: Readonly<Record<string, string>>;
  /** What the agent's terminal shows; undefined, or an error: that can't be told. */
  readonly shown: () => Promise<string | undefined>;
  /** To what ran before; says what runs now. */
  readonly goBack: () => Promise<string>;
}

/** How much of an agent's terminal an error tells. */
const tailLines = 20;

/**
 * Goes back to what ran before an agent was started that did not start.
 *
 * @returns the error to fail with: why, what runs now, and the end of the agent's log
 */
export async function failedStart(error: unknown, { name, secrets, shown, goBack }: FailedStart): Promise<Error> {
  const hidden = Object.values(secrets);
  // Going back ends what is to be seen.
  const log = await tailOf(shown, hidden);
  const standing = await goBack().catch((fault: unknown) => `and it could not be rolled back: ${textOf(fault)}`);
  const tail = log === "" ? "" : `\nthe tail of its log:\n${log}`;
  return new Error(masked(`${name} did not start: ${textOf(error)}; ${standing}${tail}`, hidden));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function tailOf(shown: FailedStart["shown"], secrets: readonly string[]): Promise<string> {
  const text = await shown().catch(() => undefined);
  return text === undefined ? "" : plainLines(unwrapped(text, secrets)).slice(-tailLines).join("\n");
}

/** A terminal breaks long lines, also in the middle of a secret. */
function unwrapped(text: string, secrets: readonly string[]): string {
  return secrets
    .filter((secret) => secret.length >= 8)
    .map((secret) => secret.split("").map((char) => char.replace(/[\\^$.*+?()[\]{}|]/, "\\$&")))
    .reduce((each, chars) => each.replace(new RegExp(chars.join("\n?"), "g"), "***"), text);
}
