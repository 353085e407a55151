#!/bin/sh
# Stands in for Claude Code's terminal: shows an input prompt, takes a message, works on it for a while, commits, and
# waits for the next. mngr sees by \$MNGR_AGENT_STATE_DIR/active that it works, and by its transcript what its prompts were.
if [ "$1" = --version ]; then
  echo '2.1.293 (Claude Code)'
  exit
fi
transcript=$MNGR_AGENT_STATE_DIR/logs/claude_transcript
mkdir -p "$transcript"
touch "$MNGR_AGENT_STATE_DIR/session_started"
printf '❯ '
while read -r message; do
  [ -n "$message" ] || continue
  touch "$MNGR_AGENT_STATE_DIR/active"
  printf '{"type":"user","message":{"content":"%s"}}\n' "$message" >>"$transcript/events.jsonl"
  sleep 3
  echo "$message" >>done.txt
  git add done.txt
  git commit --quiet --message "Did $message"
  rm "$MNGR_AGENT_STATE_DIR/active"
  printf '\n❯ '
done
