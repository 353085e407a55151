import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const askpass = join(dirname(fileURLToPath(import.meta.url)), "git-askpass.sh");

/**
 * Variables by which git gives the token to github.com, and to nobody else: they stand in its environment alone.
 *
 * @param url what git is about to talk to
 */
export function gitCredentials(url: string, token: string | undefined): Record<string, string> {
  const isGitHub = /^https:\/\/([\w-]+@)?github\.com\//.test(url);
  return isGitHub && token !== undefined && token !== "" ? { GIT_ASKPASS: askpass, GITHUB_TOKEN: token } : {};
}
