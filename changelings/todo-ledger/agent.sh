#!/bin/sh
# todo-ledger: lists the FIXME, TODO, HACK and XXX comments of the commit that is checked out, with who wrote each and
# when, in a Markdown report, and commits the report on the current branch when the list changed.
# Needs POSIX sh, git and awk. Exit status: 0 when the report is up to date (committed, or nothing to commit), else 1.
# TODO_LEDGER_FILE names the report, from the top of the repository (TODO-LEDGER.md).
#
# The report is a function of HEAD alone: it contains dates, not ages, and "new" and "resolved" compare it with the report
# in HEAD. It covers the tracked text files, except those that .gitattributes calls linguist-generated or
# linguist-vendored. Comments are other people's text: they are escaped in the report, and not in the commit's message.
set -eu
LC_ALL=C
export LC_ALL
tab=$(printf '\t')

# A caller that passes this script as one text sets these two variables. Otherwise the programs are beside the script.
: "${comments_awk=$(cat "$(dirname "$0")/comments.awk")}"
: "${ledger_awk=$(cat "$(dirname "$0")/ledger.awk")}"

signature='<!-- Written by todo-ledger: what is edited here is lost in its next run. -->'
export signature

fail() {
  printf 'todo-ledger: %s\n' "$1" >&2
  exit 1
}

# The comments of HEAD that contain a marker, file by file, in the format that comments.awk describes.
# With unlimited context, git grep shows the whole of each file that names a marker: one process reads them all.
find_comments() {
  {
    git -c core.quotePath=false -c grep.fullName=false grep --no-color --no-column -n -I -w -E \
      --heading --break -C 100000000 -e 'FIXME|TODO|HACK|XXX' HEAD -- . ":(top,exclude,literal)$ledger" \
      ':(exclude,attr:linguist-generated)' ':(exclude,attr:linguist-generated=true)' \
      ':(exclude,attr:linguist-vendored)' ':(exclude,attr:linguist-vendored=true)' || [ $? -eq 1 ] || echo failed
  } | awk "$comments_awk"
}

# Puts git blame's output for a file's lines before its comments: one process for each file that has any.
with_blame() {
  while IFS=$tab read -r what path rest; do
    if [ "$what" = file ]; then
      path=$(printf '%b.' "$path")
      # shellcheck disable=SC2086 # a list of -L options, numbers only
      git blame --line-porcelain --no-textconv -w $rest HEAD -- "${path%.}" || echo failed
    else
      printf '%s\t%s\t%s\n' "$what" "$path" "$rest"
    fi
  done
}

top=$(git rev-parse --show-cdup) || fail 'this is not a git work tree; run it inside one'
[ -z "$top" ] || cd "$top"
ledger=${TODO_LEDGER_FILE:-TODO-LEDGER.md}
case /$ledger/ in
  //* | *// | */./* | */../* | */.git/*)
    fail "TODO_LEDGER_FILE must name a file inside the repository, such as docs/TODO.md, not $ledger"
    ;;
esac
if ! git rev-parse --verify --quiet 'HEAD^{commit}' >/dev/null; then
  echo 'todo-ledger: the repository has no commit yet: nothing to list'
  exit 0
fi
branch=$(git symbolic-ref --quiet --short HEAD) ||
  fail 'HEAD is detached; check out a branch for the report, for instance: git switch -c todo-ledger'
[ -z "$(git status --porcelain --ignored -- ":(top,literal)$ledger")" ] ||
  fail "$ledger is ignored or has uncommitted changes; commit or revert them, or name another file in TODO_LEDGER_FILE"
old=
if git cat-file -e "HEAD:$ledger" 2>/dev/null; then
  old=$(git cat-file -p "HEAD:$ledger")
  case $old in
    *"$signature"*) ;;
    *) fail "$ledger was not written by todo-ledger; rename it, or name another file in TODO_LEDGER_FILE" ;;
  esac
fi

comments=$(find_comments) || fail 'git grep failed'
answer=$({
  # In a shallow clone, git blames the oldest commit that it has for everything older.
  [ "$(git rev-parse --is-shallow-repository)" = false ] || cat "$(git rev-parse --git-path shallow)"
  printf 'old report\n%s\nnew report\n' "$old"
  printf '%s\n' "$comments" | with_blame
} | awk -F '\t' "$ledger_awk") || fail 'git blame failed'
if [ -z "$answer" ]; then
  echo 'todo-ledger: nothing changed since the last report: no commit'
  exit 0
fi
subject=$(printf '%s\n' "$answer" | sed 1q)

case $ledger in */*) mkdir -p -- "${ledger%/*}" ;; esac
printf '%s\n' "$answer" | sed 1d >"$ledger"
for role in AUTHOR COMMITTER; do
  if ! git -c user.useConfigOnly=true var "GIT_${role}_IDENT" >/dev/null 2>&1; then
    export "GIT_${role}_NAME=changelings" "GIT_${role}_EMAIL=changelings@localhost"
  fi
done
git add -- ":(top,literal)$ledger"
git commit --quiet --message "$subject" -- ":(top,literal)$ledger" || fail "the report could not be committed on $branch"
printf 'todo-ledger: committed %s on %s\n%s\n' "$(git rev-parse --short HEAD)" "$branch" "$subject"
