#!/bin/sh
# Runs an agent's command, and leaves what came of it where it can be read: mngr itself tells no exit status.
# usage: run-command.sh RUN_FOLDER COMMAND [ARGUMENT...]
# Output goes to RUN_FOLDER/output.log, without the values of the variables that RUN_FOLDER/secrets names; at the end
# RUN_FOLDER/exit.json appears, whole, and an event of mngr's.
set -u
run_folder=$1
here=$(dirname "$0")
# Beside this file on Modal; here where everything that redacts finds it.
mask_program=$here/mask.awk
[ -e "$mask_program" ] || mask_program=$here/../../../lib/mask.awk
shift
umask 077
echo "Its output goes to $run_folder/output.log"

names=$(cat "$run_folder/secrets" 2>/dev/null)

mask() {
  # mawk alone waits for a full buffer, unless it is told not to.
  case $(awk -W version 2>&1 </dev/null | head -n 1) in mawk*) set -- -W interactive ;; *) set -- ;; esac
  MASKED=$names LC_ALL=C awk "$@" -f "$mask_program"
}

status=0
pipe=$run_folder/output.pipe
if [ -z "$names" ]; then
  "$@" >>"$run_folder/output.log" 2>&1 </dev/null || status=$?
elif mask </dev/null >/dev/null 2>&1 && mkfifo "$pipe"; then
  { mask <"$pipe" >>"$run_folder/output.log" 2>/dev/null; : >"$run_folder/output.done"; } &
  "$@" >"$pipe" 2>&1 </dev/null || status=$?
  # What the command left running holds the pipe; it is not waited for.
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    [ ! -e "$run_folder/output.done" ] || break
    sleep 0.1
  done
  rm -f "$pipe" "$run_folder/output.done"
else
  echo "Its output is not kept: secrets could not be redacted from it" >>"$run_folder/output.log"
  "$@" >/dev/null 2>&1 </dev/null || status=$?
fi

ended_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
# On a full disk it is tried for a minute: without this file nobody knows how the command ended.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
  if printf '{"exitCode":%d,"endedAt":"%s"}\n' "$status" "$ended_at" >"$run_folder/exit.json.new" &&
    mv "$run_folder/exit.json.new" "$run_folder/exit.json"; then
    break
  fi
  sleep 5
done

if [ -n "${MNGR_AGENT_STATE_DIR:-}" ]; then
  events=$MNGR_AGENT_STATE_DIR/events/changelings
  mkdir -p "$events" &&
    printf '{"timestamp":"%s","type":"run_ended","event_id":"evt-%s-%d","source":"changelings","exit_code":%d}\n' \
      "$ended_at" "$(date +%s)" "$$" "$status" >>"$events/events.jsonl"
fi
exit "$status"
