import { asError } from "../../../lib/as-error.ts";
import { plainWords } from "../../../lib/text.ts";
import type { DeepCheck } from "../server/api.ts";

export interface NamedCheck {
  readonly name: string;
  /** Its failure does not keep the node from serving. */
  readonly isAdvisory?: boolean;
  /** @returns a detail, in words. @throws with the reason if it fails */
  run(): Promise<unknown>;
}

export async function runCheck({ name, isAdvisory, run }: NamedCheck, milliseconds: number): Promise<DeepCheck> {
  const began = performance.now();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no result within ${milliseconds / 1000} s`)), milliseconds);
  let result: { readonly ok: boolean; readonly detail?: string };
  try {
    const detail = await Promise.race([run(), late]);
    result = { ok: true, ...(typeof detail === "string" ? { detail: shortened(detail) } : {}) };
  } catch (error) {
    result = { ok: false, detail: shortened(asError(error).message) };
  } finally {
    clearTimeout(timer);
  }
  const advisory = isAdvisory === true ? { advisory: true } : {};
  return { name, ...result, ...advisory, milliseconds: Math.round(performance.now() - began) };
}

/** Also of what the agent's code says about itself. */
export function shortened(text: string, most = 500): string {
  const plain = plainWords(text).trim();
  return plain.length > most ? `${plain.slice(0, most)}…` : plain;
}
