#!/bin/sh
# Waits until a sandbox's agent ends (wait-for-end.sh). Then pushes its work, records the outcome, and ends the sandbox.
# prepare.sh starts it, with git's token in the environment. Each step has a timeout, so nothing here waits forever: once the
# run's timeout is over, this always reaches its end.
# The outcomes and reasons are those of components/cron/local/runs/outcome.ts and ../../local/scheduler.ts.
set -u
here=${CHANGELING_FOLDER:-/changeling}
period=${CHANGELING_PERIOD:-2}
export GIT_TERMINAL_PROMPT=0 LC_ALL=C

plan() { cat "$here/plan/$1"; }

run=$(plan run) changeling=$(plan changeling) work_dir=$(plan work-dir) new_branch=$(plan new-branch)
branch=$(plan branch)
session=$(plan session) host_dir=$(plan host-dir) volume=$(plan volume) ends=$(plan ends)
timeout_seconds=$(plan timeout-seconds)
folder=$volume/$changeling/$run
output_bytes=1000000

# Seconds since the machine started, which setting its clock does not change.
clock() { cut -d . -f 1 /proc/uptime; }

git_here() { timeout "${git_seconds:-20}" git -C "$work_dir" "$@"; }

json() {
  printf '"'
  printf '%s' "$1" | tr '\t\n\r' '   ' | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g'
  printf '"'
}

# Redacts the secrets that mngr gave to the agent and to the sandbox.
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

# The values of one key in the output of git-work.sh.
work() { sed -n "s/^$1 //p" "$here/work"; }

# Observes what the run did; see git-work.sh. Sets work_error if the repository can't be read.
observe() {
  work_error=''
  # Fetch the current commits of the base branch.
  git_here fetch --quiet origin "+refs/heads/$branch:refs/remotes/origin/$branch" 2>/dev/null
  timeout 60 sh "$here/git-work.sh" end "$work_dir" "$here/refs" "refs/remotes/origin/$branch" "$new_branch" \
    >"$here/work" || work_error="its repository could not be read"
}

# The commits as JSON.
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

# The uncommitted changes, in words; empty if there are none.
uncommitted() {
  count=$(work dirty | grep -c .)
  [ "$count" != 0 ] || return
  more=''
  [ "$count" -le 5 ] || more=" and $((count - 5)) more"
  names=$(work dirty | cut -c 4- | head -n 5 | sed -e ':a' -e 'N;$!ba' -e 's/\n/, /g')
  printf 'left changes of %s in %s: %s%s' "$(files "$count")" "$work_dir" "$names" "$more"
}

# The API error with which the conversation of a Claude Code agent ended, in words; empty if it ended otherwise. It then
# waits for input, just as after its work. components/mngr/claude-error.ts is the same for local agents.
api_failure() {
  [ "$ending" = settled ] || return
  for state in "$host_dir"/agents/*/; do
    [ -f "${state}logs/claude_transcript/events.jsonl" ] || continue
    # shellcheck disable=SC2016 # it is jq
    timeout 20 tail -c 1000000 "${state}logs/claude_transcript/events.jsonl" | timeout 20 jq -Rrn '
      [inputs | fromjson? | objects | select((.type == "assistant" or .type == "user") and .isSidechain != true)] | last
      | select(.isApiErrorMessage == true)
      | ([.message.content | if type == "array" then .[] | .text? // "" else . end] | join(" ") | gsub("\\s+"; " ") | .[:300]) as $text
      | if .error == "authentication_failed"
        then "the model\u0027s API rejects its key (\($text)): export a valid ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN where you run pulumi up, and run that"
        else "the model\u0027s API failed: \($text)" end' 2>/dev/null
  done | head -n 1
}

result_of_work() {
  outcome=no_changes
  if [ -n "$work_error" ]; then
    outcome=failed reason=$work_error
  elif grep -qx changed "$here/work"; then
    outcome=succeeded
  elif [ -n "$api_failure" ]; then
    outcome=failed reason=$api_failure
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
result() {
  outcome=failed reason=''
  case $ending in
    'exited 0' | 'done' | settled) result_of_work ;;
    exited*) reason="its command ended with exit status ${ending#exited }" ;;
    died) reason="its agent's process ended, although a conversation never ends by itself" ;;
    blocked) reason="it was waiting for a permission that nobody could give" ;;
    vanished) reason="its command was killed, or its terminal was closed" ;;
    removed) reason="its changeling was removed while it was running" ;;
    timed_out)
      outcome=timed_out
      reason="it did not finish within its $timeout_seconds s, and was stopped"
      ;;
  esac
}

# The line with the reason in a failed push's output. The last line only says that something failed.
push_error() {
  for pattern in '^fatal: ' 'rejected' '^remote: ' '^error: '; do
    line=$(printf '%s\n' "$1" | grep -E -m 1 -e "$pattern") || continue
    printf '%s' "$line" | sed 's/^ *//'
    return
  done
  printf 'git did not finish in time'
}

# Prints a line COUNT LOCAL REMOTE for each branch that contains commits of the run, with its name on the remote. Nothing
# on the remote is overwritten: a branch that the agent created is pushed as the run's branch if that is unused, otherwise
# under a new name.
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
    # With an empty lease, the push is rejected if the remote already has such a branch.
    case $remote in
      "$new_branch") ;;
      "$name") continue ;;
      *) set -- "$@" "--force-with-lease=refs/heads/$remote:" ;;
    esac
    set -- "$@" "refs/heads/$name:refs/heads/$remote"
  done <"$here/pushes"
  [ $# -gt 0 ] || return
  output=$(git_seconds=60 git_here push --quiet origin "$@" 2>&1) && return
  problem="its commits could not be pushed: $(push_error "$output")"
  [ "$outcome" != succeeded ] || outcome=failed
  reason="${reason:+$reason; }$problem"
}

# The branches as JSON, if there are others than the run's own.
branches() {
  separator=''
  while read -r count _ remote; do
    printf '%s{"name":%s,"commits":%s}' "$separator" "$(json "$remote")" "$count"
    separator=,
  done <"$here/pushes"
}

# The warnings as JSON.
warnings() {
  separator=''
  {
    left=$(uncommitted)
    [ "$outcome" != succeeded ] || [ -z "$api_failure" ] || printf 'it was broken off: %s\n' "$api_failure"
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
    # Without the empty lines below the output.
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

# Lets `mngr start` restore the agent. Also ends the sandbox, so nothing here continues once it succeeds.
take_snapshot() {
  # mngr's script gives up after 30 seconds and kills the machine, but a snapshot may take minutes.
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
  # If the agent was quick, mngr may still be using the sandbox.
  [ ! -e "$host_dir/host_lock" ] || timeout 30 flock "$host_dir/host_lock" true
  sleep "$period"
  take_snapshot
  # Ending without a snapshot is better than running forever.
  kill -9 1
  kill -9 -1
}

ending=$(sh "$here/wait-for-end.sh")
echo "$ending"
mkdir -p "$folder"
save_output
timeout 10 tmux kill-session -t "=$session" 2>/dev/null
observe
commits=$(commits)
api_failure=$(api_failure)
result
push
[ -z "$reason" ] || reason=$(printf '%s\n' "$reason" | mask)
warnings=$(warnings)
# Before the end is recorded, because a run that is recorded as ended is not cleaned up again.
sh "$here/remove-secrets.sh"
for _ in 1 2 3; do
  write_end && break
  sleep "$period"
done
timeout 30 sync "$volume"
timeout 30 sync "$host_dir/"
${CHANGELING_END:-end_sandbox}
