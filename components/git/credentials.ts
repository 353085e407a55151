import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const askpass = join(dirname(fileURLToPath(import.meta.url)), "git-askpass.sh");

/**
 * Variables by which git gives the token to github.com, and to nobody else: they stand in its environment alone.
 *
 * @param url what git is about to talk to, which may be a stranger's
 */
export function gitCredentials(url: string, token: string | undefined): Record<string, string> {
  return hostOf(url) === "github.com" ? hostCredentials(url, token) : {};
}

/**
 * The same for a repository that the changeling with the token works on: its own host gets it, as on Modal (GitHub
 * Enterprise, GitLab), when that asks for it. Over https, and on loopback.
 */
export function hostCredentials(url: string, token: string | undefined): Record<string, string> {
  const host = hostOf(url);
  if (host === undefined || token === undefined || token === "") return {};
  return { GIT_ASKPASS: askpass, GITHUB_TOKEN: token, CHANGELINGS_GIT_HOST: host };
}

/** With the port; undefined where nothing is encrypted. */
function hostOf(url: string): string | undefined {
  const [, scheme, host] = /^(https?):\/\/(?:[^/@]*@)?([^/@?#]+)/.exec(url) ?? [];
  return scheme === "https" || /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host ?? "") ? host : undefined;
}
