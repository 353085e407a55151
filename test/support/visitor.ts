import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestStack } from "../engine/test-stack.ts";
import { agentIdOf, loginUrl } from "./web-stack.ts";

/** How often a page is asked for that is not there yet: each time the server waits some seconds for it itself. */
const attempts = 60;

/**
 * A browser that is logged in to one agent, through the forwarding server of a stack on a port of 127.0.0.1.
 *
 * @returns what opens its page, and waits while it is being started
 */
export async function visitor(stack: TestStack, name: string, port: number): Promise<() => Promise<string>> {
  const cookies = new Map<string, string>();
  const login = new URL(await loginUrl(stack, name));
  await navigate(new URL(`/authenticate${login.search}`, login), port, cookies);
  return async () => {
    let last = "";
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const { status, body } = await navigate(new URL(`/${agentIdOf(stack, name)}/`, login), port, cookies);
      if (status === 200) return body;
      if (status !== 502 && status !== 503) throw new Error(`${status}: ${body}`);
      last = body;
      await sleep(1000);
    }
    throw new Error(`its page does not come: ${last}`);
  };
}

/** Follows redirects as a browser does, with its cookies by host. */
async function navigate(
  url: URL,
  port: number,
  cookies: Map<string, string>,
): Promise<{ status: number; body: string }> {
  const navigation = { "sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "none" };
  const cookie = cookies.get(url.host);
  const headers = { host: url.host, ...navigation, ...(cookie === undefined ? {} : { cookie }) };
  const sent = request({ host: "127.0.0.1", port, path: url.pathname + url.search, headers }).end();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once("response", resolve).once("error", reject);
  });
  const body = await text(response);
  const [set] = response.headers["set-cookie"] ?? [];
  if (set !== undefined) cookies.set(url.host, set.split(";")[0] ?? "");
  const { location } = response.headers;
  if (location !== undefined) return navigate(new URL(location, url), port, cookies);
  return { status: response.statusCode ?? 0, body };
}
