#!/bin/sh
# Watches over the agent of a sandbox to its end; then pushes its work, writes down how it ended, and ends the sandbox.
# prepare.sh starts it, with git's token in the environment. Each step has a deadline of its own, and when the run's
# time is over it goes on to the end whatever it finds: nothing in here waits for ever.
# The words of an end are those of components/cron/local/runs/outcome.ts, and of scheduler.ts beside it.
set -u
here=${CHANGELING_FOLDER:-/changeling}
period=${CHANGELING_PERIOD:-2}
export GIT_TERMINAL_PROMPT=0 LC_ALL=C

plan() { cat "$here/plan/$1"; }

run=$(plan run) changeling=$(plan changeling) work_dir=$(plan work-dir) new_branch=$(plan new-branch)
branch=$(plan branch)
session=$(plan session) host_dir=$(plan host-dir) volume=$(plan volume) ends=$(plan ends)
timeout_seconds=$(plan timeout-seconds) settle_seconds=$(plan settle-seconds)
folder=$volume/$changeling/$run
output_bytes=1000000

# Seconds since the machine started: setting its clock does not change them.
clock() { cut -d . -f 1 /proc/uptime; }
deadline=$(($(cat "$here/started") + timeout_seconds))

# mngr holds its lock while it makes the agent, up to the first message's delivery.
mngr_is_at_it() { [ -e "$host_dir/host_lock" ] && ! flock -n "$host_dir/host_lock" true; }

has_session() { timeout 10 tmux has-session -t "=$session" 2>/dev/null; }

# True when nothing runs any more in the agent's terminal but mngr's shell.
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

# What a conversation is at: it works, it is asked to allow something, or it waits.
attitude() {
  if mngr_is_at_it; then
    echo starting
  elif ! has_marker active; then
    echo waiting
  elif has_marker permissions_waiting; then
    echo blocked
  else
    echo working
  fi
}

# True when it was told to end (see end-run.sh). An agent that mngr is still making is waited for, but not for long:
# else it could go on working after its terminal was looked for.
is_told() {
  [ -e "$here/stop" ] || return 1
  told=${told:-$now}
  ! mngr_is_at_it || [ "$now" -ge $((told + 20)) ]
}

# Says how the agent came to its end, once it has: exited STATUS, done, died, settled, blocked, vanished, timed_out or
# removed.
wait_for_end() {
  seen=no missed=0 was='' since=0 told=''
  while :; do
    now=$(clock)
    if [ -f "$here/run/exit.json" ]; then
      echo "exited $(sed -n 's/.*"exitCode":\([0-9]*\).*/\1/p' "$here/run/exit.json")"
      return
    fi
    if [ "$now" -ge "$deadline" ]; then
      echo timed_out
      return
    fi
    if is_told; then
      echo removed
      return
    fi
    if has_session; then
      seen=yes missed=0
    elif [ "$seen" = yes ]; then
      missed=$((missed + 1))
      # It ends a moment before its exit status is there, and tmux may be slow to answer.
      if [ "$missed" -ge 3 ]; then
        echo vanished
        return
      fi
    fi
    if [ "$seen$missed" = yes0 ]; then
      case $ends in
        settles) if has_exited && ! mngr_is_at_it; then is=died; else is=$(attitude); fi ;;
        exits) if has_exited && ! mngr_is_at_it; then is='done'; else is=working; fi ;;
        *) is=working ;;
      esac
      [ "$is" = "$was" ] || since=$now
      was=$is
      case $is in
        waiting | blocked)
          if [ $((now - since)) -ge "$settle_seconds" ]; then
            if [ "$is" = blocked ]; then echo blocked; else echo settled; fi
            return
          fi
          ;;
        done | died)
          # Between two commands of a script there is a moment in which none runs.
          if [ "$now" -gt $((since + 3)) ]; then
            echo "$is"
            return
          fi
          ;;
      esac
    fi
    sleep "$period"
  done
}

git_here() { timeout "${git_seconds:-20}" git -C "$work_dir" "$@"; }

json() {
  printf '"'
  printf '%s' "$1" | tr '\t\n\r' '   ' | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g'
  printf '"'
}

# Keeps the values of secrets out of what is written down: those that mngr gave the agent, and the sandbox.
mask() {
  # shellcheck disable=SC2016 # it is another shell's text
  timeout 20 sh -c '
    set -a
    for file in "$1"/env "$1"/agents/*/env; do
      [ ! -f "$file" ] || . "$file" >/dev/null 2>&1
    done
    set +a
    MASKED=$(cat "$2/plan/secrets") LC_ALL=C exec awk -f "$2/mask.awk"
  ' mask "$host_dir" "$here" || echo "(withheld: secrets could not be redacted from it)"
}

# Lines of what git-work.sh says.
work() { sed -n "s/^$1 //p" "$here/work"; }

# Looks at what the run did; see git-work.sh. Sets work_fault when the repository can't be read.
look() {
  work_fault=''
  # For what the base branch holds by now.
  git_here fetch --quiet origin "+refs/heads/$branch:refs/remotes/origin/$branch" 2>/dev/null
  timeout 60 sh "$here/git-work.sh" end "$work_dir" "$here/refs" "refs/remotes/origin/$branch" "$new_branch" \
    >"$here/work" || work_fault="its repository could not be read"
}

# As JSON.
commits() {
  work commit | mask | {
    separator=''
    while read -r hash subject; do
      printf '%s{"hash":"%s","subject":%s}' "$separator" "$hash" "$(json "$subject")"
      separator=,
    done
  }
}

files() { if [ "$1" = 1 ]; then printf '1 file'; else printf '%s files' "$1"; fi; }

# What no commit holds, in words; nothing when there is nothing.
uncommitted() {
  count=$(work dirty | grep -c .)
  [ "$count" != 0 ] || return
  more=''
  [ "$count" -le 5 ] || more=" and $((count - 5)) more"
  names=$(work dirty | cut -c 4- | head -n 5 | sed -e ':a' -e 'N;$!ba' -e 's/\n/, /g')
  printf 'left changes of %s in %s: %s%s' "$(files "$count")" "$work_dir" "$names" "$more"
}

verdict_of_work() {
  outcome=no_changes
  if [ -n "$work_fault" ]; then
    outcome=failed reason=$work_fault
  elif grep -qx changed "$here/work"; then
    outcome=succeeded
  else
    case $(work commit | grep -c .) in
      0)
        left=$(uncommitted)
        reason="it made no commit${left:+, but $left}"
        ;;
      1) reason="its commit changes nothing" ;;
      *) reason="its $(work commit | grep -c .) commits change nothing" ;;
    esac
  fi
}

# Sets outcome and reason.
verdict() {
  outcome=failed reason=''
  case $ending in
    'exited 0' | 'done' | settled) verdict_of_work ;;
    exited*) reason="its command ended with exit status ${ending#exited }" ;;
    died) reason="its agent's process ended, which a conversation's does not by itself" ;;
    blocked) reason="it was waiting for a permission that nobody could give" ;;
    vanished) reason="its command was killed, or its terminal was closed" ;;
    removed) reason="its changeling was removed while it was running" ;;
    timed_out)
      outcome=timed_out
      reason="it did not finish within its $timeout_seconds s, and was stopped"
      ;;
  esac
}

# The line of what a push said that has the reason: the last one only says that something failed.
push_error() {
  for pattern in '^fatal: ' 'rejected' '^remote: ' '^error: '; do
    line=$(printf '%s\n' "$1" | grep -E -m 1 -e "$pattern") || continue
    printf '%s' "$line" | sed 's/^ *//'
    return
  done
  printf 'git was not done in time'
}

# Says, for each branch that holds commits of the run, as lines COUNT LOCAL REMOTE: what it is called on the remote.
# What others see of it is what is there. Nothing is ever overwritten: a branch that is the agent's own idea is pushed
# as the run's branch when that has nothing, else under a new name of the run's.
remote_names() {
  current=$(git_here symbolic-ref --quiet --short HEAD)
  free=yes
  ! work branch | grep -q " $new_branch\$" || free=no
  { work branch | awk -v current="$current" 'substr($0, index($0, " ") + 1) == current'
    work branch | awk -v current="$current" 'substr($0, index($0, " ") + 1) != current'; } |
    while read -r count name; do
      if [ "$name" = "$new_branch" ]; then
        remote=$name
      elif [ "$(git_here rev-parse -q --verify "refs/remotes/origin/$name")" = "$(git_here rev-parse "refs/heads/$name")" ]; then
        remote=$name
      elif [ "$free" = yes ]; then
        remote=$new_branch free=no
      else
        remote=$new_branch-$(printf '%s' "$name" | tr / -)
      fi
      printf '%s %s %s\n' "$count" "$name" "$remote"
    done
}

push() {
  remote_names >"$here/pushes"
  set --
  while read -r _ name remote; do
    # With an empty lease it is refused where the remote has such a branch.
    case $remote in
      "$new_branch") ;;
      "$name") continue ;;
      *) set -- "$@" "--force-with-lease=refs/heads/$remote:" ;;
    esac
    set -- "$@" "refs/heads/$name:refs/heads/$remote"
  done <"$here/pushes"
  [ $# -gt 0 ] || return
  said=$(git_seconds=60 git_here push --quiet origin "$@" 2>&1) && return
  complaint="its commits could not be pushed: $(push_error "$said")"
  [ "$outcome" != succeeded ] || outcome=failed
  reason="${reason:+$reason; }$complaint"
}

# Its branches as JSON, when there are others than the run's.
branches() {
  separator=''
  while read -r count _ remote; do
    printf '%s{"name":%s,"commits":%s}' "$separator" "$(json "$remote")" "$count"
    separator=,
  done <"$here/pushes"
}

# What is to be seen beside the outcome, as JSON.
warnings() {
  separator=''
  {
    left=$(uncommitted)
    [ -z "$left" ] || [ -z "$commits" ] || printf 'it %s\n' "$left"
    while read -r _ name remote; do
      [ "$name" = "$remote" ] || printf 'its branch %s is on the remote as %s\n' "$name" "$remote"
    done <"$here/pushes"
    work warning
  } | mask | while IFS= read -r warning; do
    printf '%s%s' "$separator" "$(json "$warning")"
    separator=,
  done
}

save_output() {
  if [ "$ends" = leaves-status ]; then
    tail -c "$output_bytes" "$here/run/output.log"
  else
    # Without the empty lines below what was written.
    timeout 10 tmux capture-pane -p -S - -t "=$session:" |
      sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' |
      tail -c "$output_bytes"
  fi 2>/dev/null | mask >"$folder/output.log" 2>/dev/null
}

write_end() {
  {
    printf '{"event":"ended","at":"%s"' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
    printf ',"changeling":"%s","id":"%s"' "$changeling" "$run"
    printf ',"outcome":"%s"' "$outcome"
    [ -z "$reason" ] || printf ',"reason":%s' "$(json "$reason")"
    printf ',"commits":[%s]' "$commits"
    ! cut -d ' ' -f 3 "$here/pushes" | grep -qvFx -e "$new_branch" || printf ',"branches":[%s]' "$(branches)"
    base=$(grep -Ex '[0-9a-f]{40,64}' "$here/base") && printf ',"base":"%s"' "$base"
    [ -z "$warnings" ] || printf ',"warnings":[%s]' "$warnings"
    printf '}\n'
  } >"$folder/.ended.json.new" && mv "$folder/.ended.json.new" "$folder/ended.json"
}

# So that `mngr start` brings the agent back. It ends the sandbox too: once it works, nothing here goes on.
take_snapshot() {
  # mngr's script gives up after 30 seconds and kills the machine, though a snapshot may take minutes.
  sed 's/--max-time 30 /--max-time 330 /' "$host_dir/commands/shutdown.sh" >"$here/shutdown.sh"
  chmod 700 "$here/shutdown.sh"
  until=$(($(clock) + 360))
  for _ in 1 2 3; do
    timeout 360 "$here/shutdown.sh" STOPPED
    [ "$(clock)" -lt "$until" ] || break
    sleep "${CHANGELING_PAUSE:-5}"
  done
}

end_sandbox() {
  # mngr may still be at work on a sandbox whose agent was quick.
  [ ! -e "$host_dir/host_lock" ] || timeout 30 flock "$host_dir/host_lock" true
  sleep "$period"
  take_snapshot
  # Better without a snapshot than running for ever.
  kill -9 1
  kill -9 -1
}

ending=$(wait_for_end)
echo "$ending"
mkdir -p "$folder"
save_output
timeout 10 tmux kill-session -t "=$session" 2>/dev/null
look
commits=$(commits)
verdict
push
[ -z "$reason" ] || reason=$(printf '%s\n' "$reason" | mask)
warnings=$(warnings)
# Before its end is recorded: what is recorded as ended needs no further cleaning.
sh "$here/remove-secrets.sh"
for _ in 1 2 3; do
  write_end && break
  sleep "$period"
done
timeout 30 sync "$volume"
timeout 30 sync "$host_dir/"
${CHANGELING_END:-end_sandbox}
