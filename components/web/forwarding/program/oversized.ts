import type { IncomingMessage } from "node:http";
import { type Answer, pageAnswer, redirection, textAnswer } from "./answers.ts";
import { isOurCookie } from "./auth/cookies.ts";
import { isNavigation } from "./origin-check.ts";
import { tooManyCookiesPage } from "./pages/notices.ts";
import type { ServerContext } from "./server-context.ts";

/** The limit for headers that are forwarded to agents' servers, in characters. */
const mostHeaders = 65_536;
/**
 * Node's limit, in bytes. It covers as many cookies as browsers keep for a site, so that we know which to remove.
 */
export const mostRead = 1_000_000;
/** Browsers send about twenty; Node passes on 2,000 at most, and drops the others. */
const mostLines = 500;
/** Browsers accept about this many `Set-Cookie` headers at once. */
const mostRemoved = 200;

const marker = "changelings-removed-cookies";

/**
 * An agent's page can set so many cookies for the whole site that no request gets through. This removes other cookies
 * where possible. If that is not enough, it removes all of them, which ends this browser's logins.
 *
 * @returns undefined for a request of usual size
 */
export function oversizedAnswer(
  req: IncomingMessage,
  { addresses, cli }: Pick<ServerContext, "addresses" | "cli">,
): Answer | undefined {
  const { main, hostOf, agentDomain } = addresses;
  const { url = "", rawHeaders, headers } = req;
  if (rawHeaders.length > 2 * mostLines) return textAnswer(431, "There are too many headers.");
  const size = rawHeaders.reduce((sum, text) => sum + text.length + 2, url.length);
  if (size <= mostHeaders) return undefined;
  const { cookie = "" } = headers;
  const host = hostOf(headers.host);
  const isCookies = cookie.length > size / 2 && host !== undefined && host.kind !== "alias";
  if (!isCookies || !isNavigation(req) || !url.startsWith("/")) return textAnswer(431, "The headers are too large.");
  const here = URL.parse(url, main) ?? new URL(main);
  if (here.searchParams.has(marker)) {
    const answer = pageAnswer(431, tooManyCookiesPage(cli, `${main}/`));
    return { ...answer, headers: { ...answer.headers, "clear-site-data": '"cookies"' } };
  }
  here.searchParams.set(marker, "1");
  const domains = [new URL(main).hostname, ...(host.kind === "agent" ? [agentDomain(host.id)] : [])];
  const answer = redirection(
    `http${main.startsWith("https") ? "s" : ""}://${headers.host}${here.pathname}${here.search}`,
  );
  return { ...answer, headers: { ...answer.headers, "set-cookie": removals(cookie, here.pathname, domains) } };
}

/**
 * Set-Cookie headers that remove cookies. A browser only finds a cookie by the path and domain that it was set with.
 */
function removals(header: string, pathname: string, domains: readonly string[]): string[] {
  const names = new Set(header.split(";").map((pair) => pair.slice(0, Math.max(0, pair.indexOf("="))).trim()));
  const foreign = [...names].filter((name) => /^[\x21-\x7e]*$/.test(name) && !isOurCookie(name));
  const [, one = "", two = ""] = pathname.split("/");
  const paths = ["/", `/${one}`, two === "" ? `/${one}` : `/${one}/${two}`];
  return foreign
    .slice(0, mostRemoved)
    .flatMap((name) =>
      [...new Set(paths)].flatMap((path) =>
        [undefined, ...domains].map(
          (domain) =>
            `${name}=; Max-Age=0; Path=${path}${domain === undefined ? "" : `; Domain=${domain}`}${name.startsWith("__") ? "; Secure" : ""}`,
        ),
      ),
    );
}
