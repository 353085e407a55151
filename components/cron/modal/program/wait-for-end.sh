#!/bin/sh
# Waits for the agent's end and prints how it ended: exited STATUS, done, died, settled, blocked, vanished, timed_out or
# removed.
set -u
here=${CHANGELING_FOLDER:-/changeling}
period=${CHANGELING_PERIOD:-2}
export LC_ALL=C

plan() { cat "$here/plan/$1"; }

session=$(plan session) host_dir=$(plan host-dir) ends=$(plan ends) settle_seconds=$(plan settle-seconds)

# Seconds since the machine started, which setting its clock does not change.
clock() { cut -d . -f 1 /proc/uptime; }
deadline=$(($(cat "$here/started") + $(plan timeout-seconds)))

# mngr holds its lock while it creates the agent, until the first message is delivered.
mngr_is_busy() { [ -e "$host_dir/host_lock" ] && ! flock -n "$host_dir/host_lock" true; }

has_session() { timeout 10 tmux has-session -t "=$session" 2>/dev/null; }

# True if only mngr's shell is still running in the agent's terminal.
has_exited() {
  pane=$(timeout 10 tmux list-panes -s -t "=$session" -F '#{pane_dead} #{pane_pid}' 2>/dev/null | head -n 1)
  case $pane in
    '') return 1 ;;
    1*) return 0 ;;
  esac
  [ -z "$(cat "/proc/${pane#* }/task/${pane#* }/children" 2>/dev/null)" ]
}

has_marker() {
  for state in "$host_dir"/agents/*/; do
    [ ! -e "$state$1" ] || return 0
  done
  return 1
}

# The state of a conversation: starting, working, blocked (it waits for a permission) or waiting (for input).
conversation_state() {
  if mngr_is_busy; then
    echo starting
  elif ! has_marker active; then
    echo waiting
  elif has_marker permissions_waiting; then
    echo blocked
  else
    echo working
  fi
}

# True if the run was asked to end (see end-run.sh). Waits briefly for an agent that mngr is still creating: otherwise it
# could start after its terminal was searched for.
is_stopped() {
  [ -e "$here/stop" ] || return 1
  stopped_at=${stopped_at:-$now}
  ! mngr_is_busy || [ "$now" -ge $((stopped_at + 20)) ]
}

seen=no missed=0 was='' since=0 stopped_at=''
while :; do
  now=$(clock)
  if [ -f "$here/run/exit.json" ]; then
    echo "exited $(sed -n 's/.*"exitCode":\([0-9]*\).*/\1/p' "$here/run/exit.json")"
    exit
  fi
  if [ "$now" -ge "$deadline" ]; then
    echo timed_out
    exit
  fi
  if is_stopped; then
    echo removed
    exit
  fi
  if has_session; then
    seen=yes missed=0
  elif [ "$seen" = yes ]; then
    missed=$((missed + 1))
    # The terminal ends shortly before its exit status is recorded, and tmux may be slow to answer.
    if [ "$missed" -ge 3 ]; then
      echo vanished
      exit
    fi
  fi
  if [ "$seen$missed" = yes0 ]; then
    case $ends in
      settles) if has_exited && ! mngr_is_busy; then is=died; else is=$(conversation_state); fi ;;
      exits) if has_exited && ! mngr_is_busy; then is='done'; else is=working; fi ;;
      *) is=working ;;
    esac
    [ "$is" = "$was" ] || since=$now
    was=$is
    case $is in
      waiting | blocked)
        if [ $((now - since)) -ge "$settle_seconds" ]; then
          if [ "$is" = blocked ]; then echo blocked; else echo settled; fi
          exit
        fi
        ;;
      done | died)
        # Between two commands of a script, none is running for a moment.
        if [ "$now" -gt $((since + 3)) ]; then
          echo "$is"
          exit
        fi
        ;;
    esac
  fi
  sleep "$period"
done
