import { isIP } from "node:net";
import { Problem } from "./problem.ts";

export interface BrowserHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly "sec-fetch-site"?: string | string[] | undefined;
}

/**
 * Rejects requests that a page of another site makes in a browser. On loopback, it also accepts only loopback names as the
 * host, because such a page can make its own name resolve to 127.0.0.1 (DNS rebinding).
 */
export function rejectForeignPages(headers: BrowserHeaders, isLoopback: boolean): void {
  const { host, origin } = headers;
  if (isLoopback && (host === undefined || !isLoopbackHost(host))) {
    throw new Problem(
      "forbidden",
      "Use localhost or 127.0.0.1: requests to another name may come from a page of another site.",
    );
  }
  if (origin !== undefined && !isOwnOrigin(origin, host)) {
    throw new Problem("forbidden", "Pages of other sites can't use this.");
  }
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    throw new Problem("forbidden", "Pages of other sites can't use this.");
  }
}

function isOwnOrigin(origin: string, host: string | undefined): boolean {
  const page = URL.parse(origin);
  if (page === null || host === undefined || !/^https?:$/.test(page.protocol)) return false;
  return page.host === URL.parse(`${page.protocol}//${host}`)?.host;
}

const loopbackHost = /^(?:127(?:\.\d{1,3}){3}|\[::1\]|(?:[a-z0-9-]{1,63}\.)*localhost)(?::\d{1,5})?$/i;

/** @param host a Host header */
export function isLoopbackHost(host: string): boolean {
  return loopbackHost.test(host);
}

/** @param address the address that a server binds. @returns whether only this machine can reach it */
export function isLoopbackAddress(address: string): boolean {
  return isLoopbackHost(isIP(address) === 6 ? `[${address}]` : address);
}
