import type { PublicAddress } from "../addresses.ts";
import type { Added } from "./added-headers.ts";

/** The addresses of a request, on the agent's side and on the browser's. */
export interface Route {
  /** The agent's server. If the URL has a path, it is prepended to every requested path. */
  readonly upstream: URL;
  /** The Unix socket to connect to, instead of the upstream's host and port. */
  readonly socketPath?: string | undefined;
  /** Proves to the agent that the request comes from us. */
  readonly secret?: string | undefined;
  /** Prefix of the public path: "" or "/<agent_id>" or "/<agent_id>/<server>". */
  readonly prefix: string;
  /** Path and query for the agent. */
  readonly path: string;
  readonly publicOrigin: string;
  readonly added?: Added | undefined;
  /** All servers of the agent. Only called for a response that redirects elsewhere. */
  readonly others?: () => readonly OtherServer[];
}

/** Another server of the same agent: where it listens, and its address in the browser. */
export interface OtherServer extends PublicAddress {
  readonly url: URL;
}

/** A path as the browser sees it. An agent that uses X-Forwarded-Prefix may have added the prefix itself. */
export function rewritePath(path: string, prefix: string): string {
  return isWithin(path, agentPrefix(prefix)) ? path : prefix + path;
}

/** The common prefix of all servers of an agent: "/<agent_id>", or "" in host routing. */
export function agentPrefix(prefix: string): string {
  return prefix.split("/", 2).join("/");
}

/** The path to request from the agent. */
export function upstreamPath({ upstream, path }: Pick<Route, "upstream" | "path">): string {
  return basePath(upstream) + path;
}

/** The upstream's path without the slashes at its end. */
export function basePath({ pathname }: URL): string {
  let end = pathname.length;
  while (pathname[end - 1] === "/") end -= 1;
  return pathname.slice(0, end);
}

/** Whether a path is the folder, or below it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
