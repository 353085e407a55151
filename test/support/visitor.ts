import { setTimeout as sleep } from "node:timers/promises";
import type { TestStack } from "../engine/test-stack.ts";
import { SmallBrowser } from "./small-browser.ts";
import { agentIdOf, loginUrl } from "./web-stack.ts";

/** How often a page is asked for that is not there yet: each time the server waits some seconds for it itself. */
const attempts = 60;

/**
 * A browser that is logged in to one agent, through the forwarding server of a stack on a port of 127.0.0.1.
 *
 * @returns what opens its page, and waits while it is being started
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
