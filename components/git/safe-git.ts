/**
 * Settings with which git on this machine runs none of a repository's programs. They override the repository's own
 * settings, which an agent or a stranger may have written. They don't stop filters and merge drivers with arbitrary
 * names, so a repository from an agent's machine is never used directly (see `adoptRepo`).
 */
const settings: Readonly<Record<string, string>> = {
  "core.fsmonitor": "false",
  "core.hooksPath": "/dev/null",
  "core.pager": "cat",
  "commit.gpgSign": "false",
  "fetch.recurseSubmodules": "false",
  "log.showSignature": "false",
  "protocol.ext.allow": "never",
  "push.gpgSign": "false",
  "push.recurseSubmodules": "no",
  "submodule.recurse": "false",
  "tag.gpgSign": "false",
};

/**
 * The environment for a git that may run in an untrusted repository. Needs git 2.31 or later.
 *
 * @param env the rest of its environment; git settings in it are kept
 */
export function safeGitEnvironment<Value extends string | undefined>(
  env: Readonly<Record<string, Value>>,
): Record<string, Value | string> {
  const entries = Object.entries(settings);
  const first = Number(env["GIT_CONFIG_COUNT"] ?? 0);
  const added = entries.flatMap(([name, value], index) => [
    [`GIT_CONFIG_KEY_${first + index}`, name],
    [`GIT_CONFIG_VALUE_${first + index}`, value],
  ]);
  return {
    ...env,
    ...Object.fromEntries(added),
    GIT_CONFIG_COUNT: String(first + entries.length),
    // Don't fetch missing objects with a command that the repository configures.
    GIT_NO_LAZY_FETCH: "1",
    // Don't show one commit in place of another.
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_EDITOR: "true",
    GIT_TERMINAL_PROMPT: "0",
  };
}
