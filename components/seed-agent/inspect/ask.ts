import { messageOf } from "../../lib/as-error.ts";
import { plainWords } from "../../lib/text.ts";
import { openSeedAgent, type SeedClient } from "../client.ts";
import { connectTo } from "../connect.ts";
import type { InstalledSeedAgent } from "../installed.ts";
import type { Connection } from "../provider.ts";

/** An agent's response, or in words why there is none. */
export type Asked<Answer> = { readonly answer: Answer } | { readonly problem: string };

const timeoutMilliseconds = 5000;

export async function ask<Answer>(
  { spec, url, controlToken }: Pick<InstalledSeedAgent, "spec" | "url" | "controlToken">,
  about: (client: SeedClient) => Promise<Answer>,
): Promise<Asked<Answer>> {
  let connection: Connection | undefined;
  try {
    connection = await connectTo({ spec, url });
    return { answer: await about(openSeedAgent({ url: connection.url, token: controlToken, timeoutMilliseconds })) };
  } catch (error) {
    return { problem: plainWords(messageOf(error)) };
  } finally {
    connection?.close();
  }
}
