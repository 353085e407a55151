import { execFile } from "node:child_process";
import { safeGitEnvironment } from "./safe-git.ts";

/** What git printed; `code` is undefined if git was not found or timed out. */
export interface GitAnswer {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly isLate: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The timeout for git in a local repository. */
export const localSeconds = 10;

/** The variables that git gets. None of them makes git use another repository, as GIT_DIR would. */
const passed = [
  "PATH HOME USER LOGNAME TMPDIR LANG XDG_CONFIG_HOME SSH_AUTH_SOCK SSL_CERT_FILE SSL_CERT_DIR",
  "GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM GIT_SSH GIT_SSH_COMMAND GIT_ASKPASS GIT_SSL_CAINFO",
  "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy",
].flatMap((names) => names.split(" "));

/**
 * Runs a read-only git command that never prompts.
 *
 * @param timeoutSeconds after which git is killed
 * @param credentials variables that git gets unchanged
 */
export function git(
  args: readonly string[],
  environment: Environment,
  timeoutSeconds: number,
  credentials: Readonly<Record<string, string>> = {},
): Promise<GitAnswer> {
  const env = {
    ...safeGitEnvironment(
      Object.fromEntries(
        passed.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
      ),
    ),
    LC_ALL: "C",
    SSH_ASKPASS: "false",
    SSH_ASKPASS_REQUIRE: "force",
    GIT_OPTIONAL_LOCKS: "0",
    ...credentials,
  };
  const options = { env, timeout: timeoutSeconds * 1000, maxBuffer: 64 * 2 ** 20 } as const;
  return new Promise((answer) => {
    execFile("git", args, options, (failure, stdout, stderr) => {
      const code = failure === null ? 0 : typeof failure.code === "number" ? failure.code : undefined;
      answer({ code, stdout, stderr, isLate: failure?.killed === true });
    });
  });
}
