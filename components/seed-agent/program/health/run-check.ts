import { messageOf } from "../../../lib/as-error.ts";
import { plainWords } from "../../../lib/text.ts";
import type { DeepCheck } from "../server/api.ts";
import { withTimeout } from "../with-timeout.ts";

export interface NamedCheck {
  readonly name: string;
  /** The node can serve although the check fails. */
  readonly isAdvisory?: boolean;
  /** @returns a text, which becomes the check's detail. @throws with the reason if the check fails */
  run(): Promise<unknown>;
}

export async function runCheck({ name, isAdvisory, run }: NamedCheck, milliseconds: number): Promise<DeepCheck> {
  const began = performance.now();
  let result: { readonly ok: boolean; readonly detail?: string };
  try {
    const detail = await withTimeout(run(), milliseconds, () => new Error(`no result within ${milliseconds / 1000} s`));
    result = { ok: true, ...(typeof detail === "string" ? { detail: shortened(detail) } : {}) };
  } catch (error) {
    result = { ok: false, detail: shortened(messageOf(error)) };
  }
  const advisory = isAdvisory === true ? { advisory: true } : {};
  return { name, ...result, ...advisory, milliseconds: Math.round(performance.now() - began) };
}

/** Cuts a text, and removes control characters. The text may come from the agent's code. */
export function shortened(text: string, max = 500): string {
  const plain = plainWords(text).trim();
  return plain.length > max ? `${plain.slice(0, max)}…` : plain;
}
