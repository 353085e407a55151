import { setTimeout as sleep } from "node:timers/promises";
import type { TestStack } from "../engine/test-stack.ts";
import { SmallBrowser } from "./small-browser.ts";
import { agentIdOf, loginUrl } from "./web-stack.ts";

/** How often to request a page that is not ready yet. Each time the server itself waits some seconds for it. */
const attempts = 60;

/**
 * A browser that is logged in to one agent, through a stack's forwarding server on a port of 127.0.0.1.
 *
 * @returns a function that opens its page, and waits while the agent starts
 */
export async function visitor(stack: TestStack, name: string, port: number): Promise<() => Promise<string>> {
  const browser = new SmallBrowser(port);
  await browser.open((await loginUrl(stack, name)).replace("/login?", "/authenticate?"));
  return async () => {
    let last = "";
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const { status, body } = await browser.open(`/${agentIdOf(stack, name)}/`);
      if (status === 200) return body;
      if (status !== 502 && status !== 503) throw new Error(`${status}: ${body}`);
      last = body;
      await sleep(1000);
    }
    throw new Error(`its page does not come: ${last}`);
  };
}
