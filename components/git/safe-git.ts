/**
 * What git on this machine never does, whatever the settings of the repository say that it works in: those may be
 * written by an agent, or by a stranger. Settings of the command win over a repository's; who has filters or merge
 * drivers of a name of their own is not stopped by it, so a repository that came from an agent's machine is never
 * worked in as it is (see `adoptRepo`).
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
 * The environment for a git that may work in somebody else's repository. Needs git 2.31 or later.
 *
 * @param env what it gets otherwise; settings that are in it stay
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
    // Objects that are missing are not fetched by a command that the repository names.
    GIT_NO_LAZY_FETCH: "1",
    // One commit shown in place of another.
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_EDITOR: "true",
    GIT_TERMINAL_PROMPT: "0",
  };
}
