import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const askpass = join(dirname(fileURLToPath(import.meta.url)), "git-askpass.sh");

/**
 * Variables with which git authenticates to github.com, and to no other host. The token is only in git's environment.
 *
 * @param url the URL that git is about to contact, which may be untrusted
 */
export function gitCredentials(url: string, token: string | undefined): Record<string, string> {
  return hostOf(url) === "github.com" ? hostCredentials(url, token) : {};
}

/**
 * Like `gitCredentials`, for the repository that the token's changeling works on: its own host gets the token if it asks
 * for it (GitHub Enterprise, GitLab), as on Modal. Only over https, or on loopback.
 */
export function hostCredentials(url: string, token: string | undefined): Record<string, string> {
  const host = hostOf(url);
  if (host === undefined || token === undefined || token === "") return {};
  return { GIT_ASKPASS: askpass, GITHUB_TOKEN: token, CHANGELINGS_GIT_HOST: host };
}

/** The host with its port; undefined if the connection is not encrypted. */
function hostOf(url: string): string | undefined {
  const [, scheme, host] = /^(https?):\/\/(?:[^/@]*@)?([^/@?#]+)/.exec(url) ?? [];
  return scheme === "https" || /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host ?? "") ? host : undefined;
}
