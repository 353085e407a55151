/**
 * POSIX sh for `mngr create --extra-provision-command`: has Claude Code accept ANTHROPIC_API_KEY without a question.
 *
 * At its first start with a key from the environment, Claude Code asks in its terminal whether to use it, and mngr can't
 * deliver the first message. mngr 0.3.0 gives the answer beforehand, but only for keys that it sees in its own environment
 * or arguments, which would show them to others, and not for those of an `--env-file`.
 *
 * The command runs after mngr has written the agent's own configuration, with the agent's environment. It writes the last
 * 20 characters of the key, by which Claude Code recognizes it, and leaves a configuration that is shared with the
 * person's alone. APPROVE_KEY in mngr_arguments.py is the same text.
 */
export const approveKeyCommand = [
  'config="$CLAUDE_CONFIG_DIR/.claude.json"; case $config in "$MNGR_AGENT_STATE_DIR"/*)',
  'if [ -n "$ANTHROPIC_API_KEY" ] && [ -f "$config" ]; then (umask 077; jq',
  "'.customApiKeyResponses |= {approved: (.approved + [env.ANTHROPIC_API_KEY[-20:]]), rejected: []}'",
  '"$config" >"$config.new") && mv -f "$config.new" "$config" || exit 1; fi;; esac',
].join(" ");
