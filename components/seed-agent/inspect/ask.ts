import { asError } from "../../lib/as-error.ts";
import { plainWords } from "../../lib/text.ts";
import { openSeedAgent, type SeedClient } from "../client.ts";
import type { InstalledSeedAgent } from "../installed.ts";

/** What an agent answered, or why it did not, in words. */
export type Asked<Answer> = { readonly answer: Answer } | { readonly problem: string };

const timeoutMilliseconds = 5000;

export async function ask<Answer>(
  { url, controlToken }: Pick<InstalledSeedAgent, "url" | "controlToken">,
  about: (client: SeedClient) => Promise<Answer>,
): Promise<Asked<Answer>> {
  if (url === undefined) return { problem: "this machine does not reach it" };
  try {
    return { answer: await about(openSeedAgent({ url, token: controlToken, timeoutMilliseconds })) };
  } catch (error) {
    return { problem: plainWords(asError(error).message) };
  }
}
