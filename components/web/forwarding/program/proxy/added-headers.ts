/** Headers that the forwarding server adds to an agent's response. Pure. */

export interface Added {
  /** Sources of a content security policy that may frame the page, unless the agent sets its own. */
  readonly frameAncestors: string;
  /** The origin of the requesting page, if it is another server of the same agent. */
  readonly sharedWith?: string | undefined;
}

/**
 * - Frames: without this, a page that sets no policy could be framed by any other agent's page, and clickjacked.
 * - Sharing: all servers of an agent share one login, so each one's pages may read the others' responses, whatever the
 *   agent sets for other origins.
 *
 * @param headers alternating names and values
 */
export function withAddedHeaders(headers: readonly string[], { frameAncestors, sharedWith }: Added): string[] {
  const kept: string[] = [];
  let isFramed = true;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name = "", value = ""] = [headers[i], headers[i + 1]];
    const key = name.toLowerCase();
    if (key === "x-frame-options") isFramed = false;
    if (key === "content-security-policy" && /(?:^|[;,])\s*frame-ancestors(?:\s|;|,|$)/i.test(value)) isFramed = false;
    const isSharing = key === "access-control-allow-origin" || key === "access-control-allow-credentials";
    if (!(isSharing && sharedWith !== undefined)) kept.push(name, value);
  }
  if (isFramed) kept.push("Content-Security-Policy", `frame-ancestors ${frameAncestors}`);
  if (sharedWith !== undefined) {
    kept.push("Access-Control-Allow-Origin", sharedWith, "Access-Control-Allow-Credentials", "true", "Vary", "Origin");
  }
  return kept;
}
