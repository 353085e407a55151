import { asError } from "../../lib/as-error.ts";
import { plainWords } from "../../lib/text.ts";
import { openSeedAgent, type SeedClient } from "../client.ts";
import type { InstalledSeedAgent } from "../installed.ts";
import type { Reached } from "../provider.ts";
import { reachSeedAgent } from "../reach.ts";

/** What an agent answered, or why it did not, in words. */
export type Asked<Answer> = { readonly answer: Answer } | { readonly problem: string };

const timeoutMilliseconds = 5000;

export async function ask<Answer>(
  { spec, url, controlToken }: Pick<InstalledSeedAgent, "spec" | "url" | "controlToken">,
  about: (client: SeedClient) => Promise<Answer>,
): Promise<Asked<Answer>> {
  let reached: Reached | undefined;
  try {
    reached = await reachSeedAgent({ spec, url });
    return { answer: await about(openSeedAgent({ url: reached.url, token: controlToken, timeoutMilliseconds })) };
  } catch (error) {
    return { problem: plainWords(asError(error).message) };
  } finally {
    reached?.close();
  }
}
