#!/bin/sh
# Runs an agent's command, and leaves what came of it where it can be read: mngr itself tells no exit status.
# usage: run-command.sh RUN_FOLDER COMMAND [ARGUMENT...]
# Output goes to RUN_FOLDER/output.log; at the end RUN_FOLDER/exit.json appears, whole, and an event of mngr's.
set -u
run_folder=$1
shift
umask 077
echo "Its output goes to $run_folder/output.log"

status=0
"$@" >>"$run_folder/output.log" 2>&1 </dev/null || status=$?

ended_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
printf '{"exitCode":%d,"endedAt":"%s"}\n' "$status" "$ended_at" >"$run_folder/exit.json.new"
mv "$run_folder/exit.json.new" "$run_folder/exit.json"

if [ -n "${MNGR_AGENT_STATE_DIR:-}" ]; then
  events=$MNGR_AGENT_STATE_DIR/events/changelings
  mkdir -p "$events" &&
    printf '{"timestamp":"%s","type":"run_ended","event_id":"evt-%s-%d","source":"changelings","exit_code":%d}\n' \
      "$ended_at" "$(date +%s)" "$$" "$status" >>"$events/events.jsonl"
fi
exit "$status"
