#!/bin/sh
# Runs an agent's command and records its exit status, which mngr does not report.
# usage: run-command.sh RUN_FOLDER COMMAND [ARGUMENT...]
# The output goes to RUN_FOLDER/output.log. The values of the variables that RUN_FOLDER/secrets names are redacted from
# it. At the end, this writes RUN_FOLDER/exit.json atomically, and an event for mngr.
set -u
run_folder=$1
here=$(dirname "$0")
# On Modal it is next to this file; on this machine it is in lib/.
mask_program=$here/mask.awk
[ -e "$mask_program" ] || mask_program=$here/../../../lib/mask.awk
shift
umask 077
echo "Its output goes to $run_folder/output.log"

names=$(cat "$run_folder/secrets" 2>/dev/null)

mask() {
  # By default, mawk waits until its input buffer is full.
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
  # Processes that the command left running keep the pipe open, so don't wait for its end.
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
# Retry for a minute if the disk is full: without this file, nobody knows how the command ended.
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
