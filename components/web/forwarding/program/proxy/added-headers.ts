/** What the forwarding server adds to an agent's response. Pure. */

export interface Added {
  /** Who may show it in a frame, where the agent does not say: sources of a content security policy. */
  readonly frameAncestors: string;
  /** The origin of another server of the same agent, whose page asks. */
  readonly sharedWith?: string | undefined;
}

/**
 * - Frames: a page that says nothing could be shown, and clicked through, in any other agent's page.
 * - Sharing: all servers of an agent are of one login, so one's pages may read what another answers, whatever the agent
 *   says of other origins.
 *
 * @param headers names and values in turn
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
