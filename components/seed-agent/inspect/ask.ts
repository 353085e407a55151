import { asError } from "../../lib/as-error.ts";
import { plainWords } from "../../lib/text.ts";
import type { InstalledSeedAgent } from "../installed.ts";
import { type DeepHealth, deepHealth, type Status, status } from "../program/server/api.ts";

/** What an agent answered, or why it did not. */
export type Asked<Answer> = { readonly answer: Answer } | { readonly problem: string };

const timeoutMs = 5000;

export function askStatus(installed: InstalledSeedAgent): Promise<Asked<Status>> {
  return ask(installed, "/control/status", (body) => status.parse(body));
}

export function askDeepHealth(installed: InstalledSeedAgent): Promise<Asked<DeepHealth>> {
  return ask(installed, "/health/deep", (body) => deepHealth.parse(body));
}

async function ask<Answer>(
  { url, controlToken }: InstalledSeedAgent,
  path: string,
  parse: (body: unknown) => Answer,
): Promise<Asked<Answer>> {
  if (url === undefined) return { problem: "has no address that this machine reaches" };
  try {
    const response = await fetch(url + path, {
      headers: { authorization: `Bearer ${controlToken}` },
      signal: AbortSignal.timeout(timeoutMs),
      redirect: "error",
    });
    const body: unknown = await response.json();
    // /health/deep answers with 503 and the same body if a check fails.
    if (!response.ok && response.status !== 503) return { problem: `answers with ${response.status}` };
    return { answer: parse(body) };
  } catch (error) {
    return { problem: plainWords(`${reasonOf(asError(error))} at ${url}`) };
  }
}

function reasonOf(error: Error): string {
  if (error.name === "TimeoutError") return "does not answer in time";
  return error instanceof TypeError ? "does not answer" : "answers with something else";
}
