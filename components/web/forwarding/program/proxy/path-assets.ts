import type { IncomingMessage, ServerResponse } from "node:http";
import { assetFolder, workerScript } from "./path-scripts.ts";

/** Serves our own files below an agent's prefix. @returns false for other paths */
export function sendAsset(
  req: IncomingMessage,
  res: ServerResponse,
  { prefix, path }: { readonly prefix: string; readonly path: string },
): boolean {
  if (path.split("?", 1)[0] !== `${assetFolder}/sw.js`) return false;
  const script = Buffer.from(workerScript(prefix));
  res.writeHead(200, [
    ...["Content-Type", "text/javascript; charset=utf-8", "Content-Length", String(script.length)],
    // The scope is wider than the script's own folder.
    ...["Service-Worker-Allowed", `${prefix}/`],
    ...["Cache-Control", "no-cache", "X-Content-Type-Options", "nosniff"],
  ]);
  res.end(req.method === "HEAD" ? undefined : script);
  return true;
}

/**
 * The path of the page that sent a misdirected request, from its Referer. It identifies the agent and its server. Only
 * for agents that share an origin.
 *
 * @returns undefined if the request does not come from a page of this origin
 */
export function orphansFrom(req: Pick<IncomingMessage, "headers">, publicOrigin: string): string | undefined {
  const { referer } = req.headers;
  if (referer === undefined || !URL.canParse(referer)) return undefined;
  const { origin, pathname } = new URL(referer);
  return origin === publicOrigin ? pathname : undefined;
}
