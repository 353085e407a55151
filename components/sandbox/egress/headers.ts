import type { IncomingHttpHeaders } from "node:http";

/** Removes the headers that are for the next hop only (RFC 9110, 7.6.1). */
export function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = (headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase());
  const dropped = new Set([...named, "connection", "keep-alive", "proxy-authorization", "proxy-connection", "te"]);
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !dropped.has(name) && name !== "upgrade" && name !== "trailer"),
  );
}
