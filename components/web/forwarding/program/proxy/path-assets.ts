import type { IncomingMessage, ServerResponse } from "node:http";
import { assetFolder, workerScript } from "./path-scripts.ts";

/** Answers for a file of ours that stands below an agent's prefix; false when this is none. */
export function sendAsset(
  req: IncomingMessage,
  res: ServerResponse,
  { prefix, path }: { readonly prefix: string; readonly path: string },
): boolean {
  if (path.split("?", 1)[0] !== `${assetFolder}/sw.js`) return false;
  const script = Buffer.from(workerScript(prefix));
  res.writeHead(200, [
    ...["Content-Type", "text/javascript; charset=utf-8", "Content-Length", String(script.length)],
    // It stands deeper than what it is for.
    ...["Service-Worker-Allowed", `${prefix}/`],
    ...["Cache-Control", "no-cache", "X-Content-Type-Options", "nosniff"],
  ]);
  res.end(req.method === "HEAD" ? undefined : script);
  return true;
}

/**
 * Where a request of an agent's page belongs that went astray: the path of the page that it came from, for the server to
 * read which agent, and which of its servers, it is. Only where agents share an origin.
 *
 * @returns undefined when it did not come from a page of this origin
 */
export function straysFrom(req: Pick<IncomingMessage, "headers">, publicOrigin: string): string | undefined {
  const { referer } = req.headers;
  if (referer === undefined || !URL.canParse(referer)) return undefined;
  const { origin, pathname } = new URL(referer);
  return origin === publicOrigin ? pathname : undefined;
}
