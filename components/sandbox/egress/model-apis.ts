import type { BrokeredApi } from "../provider.ts";

/** What a program in a sandbox may request of a model's API. Everything else stays in the sandbox. */
export interface ModelApi {
  /** Method and path below the base URL. */
  readonly requests: readonly string[];
  /** The names of query parameters that are passed on. */
  readonly query: readonly string[];
  /** The names of headers that are passed on, in lower case; `x-*` means every name that begins with `x-`. */
  readonly headers: readonly string[];
}

const common = ["accept", "content-type", "content-encoding", "user-agent", "x-client-request-id"];

/**
 * What the CLIs request. The headers are a list of what is passed on, not of what is removed: some gateways take the
 * address of the API from a header, and would send the key there.
 */
export const modelApis: Readonly<Record<BrokeredApi["kind"], ModelApi>> = {
  anthropic: {
    requests: ["POST /v1/messages", "POST /v1/messages/count_tokens"],
    query: ["beta"],
    headers: [
      ...common,
      "anthropic-beta",
      "anthropic-version",
      "anthropic-dangerous-direct-browser-access",
      "x-app",
    ].concat(["x-claude-*", "x-stainless-*"]),
  },
  openai: {
    requests: ["POST /responses", "GET /models"],
    query: ["client_version"],
    headers: [...common, "originator", "session-id", "thread-id", "openai-beta", "x-codex-*", "x-openai-*"],
  },
};

/**
 * @param path the path and query of a request, below the base URL
 * @returns the path and query to request of the API; undefined if it may not be requested
 */
export function allowedPath(api: ModelApi, method: string, path: string): string | undefined {
  const question = path.indexOf("?");
  const bare = question === -1 ? path : path.slice(0, question);
  if (!api.requests.includes(`${method} ${bare}`)) return undefined;
  const given = new URLSearchParams(question === -1 ? "" : path.slice(question));
  const query = new URLSearchParams([...given].filter(([name]) => api.query.includes(name))).toString();
  return query === "" ? bare : `${bare}?${query}`;
}

/** The headers of a request that the API gets. */
export function allowedHeaders(
  api: ModelApi,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  const isAllowed = (name: string) =>
    api.headers.some((each) => (each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : name === each));
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value === "string" && isAllowed(name) ? [[name, value]] : [],
    ),
  );
}
