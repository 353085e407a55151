#!/bin/sh
# Reports what a run did, as git shows it: its commits, the branches that contain them, and uncommitted changes, on
# whatever branch the agent worked. The watcher in a sandbox uses it, and the scheduler on this machine.
#
# git-work.sh begin FOLDER
#   Call it before the agent starts. Prints the refs and worktrees of the repository, which `end` compares with.
# git-work.sh end FOLDER START BASE OWN [WORK_TREE]
#   Call it after the agent has ended. START is the file with the output of `begin`, BASE the full ref that the run
#   started from (refs/heads/main, refs/remotes/origin/main), OWN the branch that was created for the run. WORK_TREE is the
#   agent's worktree in a repository that others use too (empty: it no longer exists). Without it, everything in the
#   repository is the agent's. Prints lines:
#     commit HASH SUBJECT    the newest 100, newest first; a subject has at most 200 columns
#     branch COUNT NAME      a local branch that contains COUNT of them
#     changed                at least one branch differs in content from the commit that it was created from
#     dirty STATUS NAME      a file with uncommitted changes
#     warning TEXT           what happened to the base branch, to its remotes, and to branches of unknown origin
#
# A commit is the run's if one of the run's branches contains it, and neither a ref from the start, nor the base branch, nor
# a remote contains it, except if the agent pushed it there. The agent can write to the repository, so this relies only on
# refs and reflogs, and runs none of the repository's hooks and monitors.
set -u
export LC_ALL=C GIT_OPTIONAL_LOCKS=0 GIT_NO_REPLACE_OBJECTS=1 GIT_NO_LAZY_FETCH=1

command=$1 folder=$2
cd "$folder" || exit 1

git() { command git -c core.fsmonitor=false -c core.hooksPath=/dev/null -c core.quotePath=true "$@"; }

refs() { git for-each-ref --format='%(objectname) %(refname)' "$@"; }

if [ "$command" = begin ]; then
  echo "refs and work trees before the run"
  refs refs/heads refs/remotes refs/tags
  git worktree list --porcelain | sed -n '/^worktree /p'
  exit
fi

start=$3 base=$4 own=refs/heads/$5 tree=${6-}
if [ $# -ge 6 ]; then shared=yes; else shared=no; fi
case $base in
  refs/heads/*) branch=${base#refs/heads/} ;;
  *) branch=${base#refs/remotes/*/} ;;
esac
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
common=$(git rev-parse --git-common-dir) || exit 1

was() { awk -v ref="$1" '$2 == ref { print $1; exit }' "$start"; }
is() { git rev-parse --quiet --verify "$1^{commit}"; }
short() { printf '%.10s' "$1"; }
is_ancestor() { git merge-base --is-ancestor "$1" "$2" 2>/dev/null; }
is_known() { git cat-file -e "$1^{commit}" 2>/dev/null; }
has_line() { grep -qFx -e "$1" "$2"; }
commits() { if [ "$1" = 1 ]; then printf '1 commit'; else printf '%s commits' "$1"; fi; }

physical() { (cd "$1" 2>/dev/null && pwd -P) || printf '%s\n' "$1"; }

# For each linked worktree, prints the folder with git's own files, a tab, and the worktree's folder.
linked_trees() {
  for files in "$common"/worktrees/*/; do
    [ -f "$files/gitdir" ] || continue
    gitdir=$(head -n 1 "$files/gitdir")
    case $gitdir in /*) ;; *) gitdir=$files$gitdir ;; esac
    printf '%s\t%s\n' "$files" "$(physical "${gitdir%/.git}")"
  done
}

# The reflogs of HEAD in the agent's worktrees: its own, and those that it created below it.
: >"$scratch/log"
own_files=''
if [ "$shared" = no ]; then
  cat "$common"/logs/HEAD "$common"/worktrees/*/logs/HEAD >"$scratch/log" 2>/dev/null
elif [ -n "$tree" ]; then
  tree_folder=$(physical "$tree")
  linked_trees >"$scratch/linked"
  while IFS='	' read -r files each; do
    case $each in
      "$tree_folder") own_files=$files ;;
      "$tree_folder"/*) ;;
      *) continue ;;
    esac
    cat "$files/logs/HEAD" >>"$scratch/log" 2>/dev/null
  done <"$scratch/linked"
fi
# All commits that its HEAD pointed to, and those of them that were created there.
awk '!seen[$2]++ { print $2 }' "$scratch/log" >"$scratch/seen"
awk -F '\t' '$2 ~ /^(commit|cherry-pick|revert|am|rebase \((pick|reword|edit|squash|fixup|continue)\))|Merge made by/ {
  split($1, field, " ")
  if (!made[field[2]]++) print field[2]
}' "$scratch/log" >"$scratch/made"

# The reflogs of HEAD in the worktrees that existed before: what people and other runs did in the meantime.
: >"$scratch/others"
if [ "$shared" = yes ]; then
  sed -n 's/^worktree //p' "$start" | while IFS= read -r each; do
    log=$(git -C "$each" rev-parse --git-path logs/HEAD 2>/dev/null) || continue
    (cd "$each" && awk '{ print $2 }' "$log") >>"$scratch/others" 2>/dev/null
  done
fi

# True for a remote's branch that the agent pushed, as far as this repository shows.
is_pushed() {
  case $(git reflog show --format=%gs -1 "$1" 2>/dev/null) in 'update by push'*) return 0 ;; esac
  has_line "$(is "$1")" "$scratch/made"
}

if [ "$shared" = no ]; then
  head=$(is HEAD)
  head_branch=$(git symbolic-ref --quiet HEAD)
else
  # What git lists of the agent's worktree.
  git worktree list --porcelain | awk -v tree="worktree $tree" '
    $1 == "worktree" { inside = $0 == tree }
    inside && $1 == "HEAD" { head = $2 }
    inside && $1 == "branch" { branch = $2 }
    END { print head; print branch }' >"$scratch/tree"
  { read -r head; read -r head_branch; } <"$scratch/tree"
  is_known "$head" || head=''
fi

refs refs/heads refs/remotes >"$scratch/now"
awk 'NR == FNR { before[$0]; next } !($0 in before)' "$start" "$scratch/now" >"$scratch/changed"

# Everything that does not belong to the run, as arguments of rev-list.
{
  sed -n 's/^\([0-9a-f]\{40,\}\) .*/^\1/p' "$start"
  refs "$base" "refs/remotes/*/$branch" | sed 's/^\([0-9a-f]*\) .*/^\1/'
} >"$scratch/not"
: >"$scratch/branches"
: >"$scratch/unknown"
while read -r hash ref; do
  case $ref in
    "$base" | refs/remotes/*/"$branch") ;;
    "$own") printf '%s %s\n' "$hash" "$ref" >>"$scratch/branches" ;;
    refs/remotes/*) is_pushed "$ref" || printf '^%s\n' "$hash" >>"$scratch/not" ;;
    *)
      if [ "$shared" = no ] || has_line "$hash" "$scratch/seen"; then
        printf '%s %s\n' "$hash" "$ref" >>"$scratch/branches"
      else
        printf '%s %s\n' "$hash" "$ref" >>"$scratch/unknown"
      fi
      ;;
  esac
done <"$scratch/changed"
sed 's/^\([0-9a-f]*\) .*/^\1/' "$scratch/unknown" >"$scratch/not-others"

# rev-list of a commit, without everything that does not belong to the run.
list() {
  tip=$1
  shift
  { echo "$tip"; cat "$scratch/not" "$scratch/not-others"; } | git rev-list --ignore-missing --stdin "$@"
}

# Commits on no branch would be lost with the worktree, so they get a branch.
if [ -n "$head" ] && [ -z "$head_branch" ]; then
  loose=$({ echo "$head"; cut -d ' ' -f 1 "$scratch/branches" | sed 's/^/^/'; cat "$scratch/not" "$scratch/not-others"; } |
    git rev-list --ignore-missing --count --stdin)
  if [ "${loose:-0}" != 0 ]; then
    old=$(is "$own")
    if [ -z "$old" ] || is_ancestor "$old" "$head"; then kept=$own; else kept=$own-detached old=''; fi
    git update-ref -m "a run's detached HEAD" "$kept" "$head" "${old:-$(printf '%s' "$head" | tr '[:alnum:]' 0)}" 2>/dev/null
    grep -v " $kept\$" "$scratch/branches" >"$scratch/kept"
    printf '%s %s\n' "$head" "$kept" >>"$scratch/kept"
    mv "$scratch/kept" "$scratch/branches"
  fi
fi

{
  cut -d ' ' -f 1 "$scratch/branches"
  [ -z "$head" ] || echo "$head"
  cat "$scratch/not" "$scratch/not-others"
} | git rev-list --ignore-missing --stdin --topo-order --max-count=100 --encoding=UTF-8 \
  --format='%H %<(200,trunc)%s' | sed '/^commit /d; s/^/commit /; s/ *$//' | cut -c 1-1000

# True if a commit differs in content from every commit that the run's work is based on.
differs() {
  list "$1" --boundary | sed -n 's/^-\(.*\)/\1^{tree}/p' | git cat-file --batch-check='%(objectname)' >"$scratch/bases"
  [ -s "$scratch/bases" ] || git hash-object -t tree /dev/null >"$scratch/bases"
  ! has_line "$(git rev-parse "$1^{tree}")" "$scratch/bases"
}

# The run's own branch first.
awk -v own="$own" '$2 == own { print; next } { others = others $0 "\n" } END { printf "%s", others }' "$scratch/branches" >"$scratch/sorted"
changed=no
while read -r hash ref; do
  count=$(list "$hash" --count)
  [ "${count:-0}" != 0 ] || continue
  printf 'branch %s %s\n' "$count" "${ref#refs/heads/}"
  [ "$changed" = yes ] || ! differs "$hash" || changed=yes
done <"$scratch/sorted"
[ "$changed" = no ] || echo changed

if [ "$shared" = no ]; then
  git status --porcelain --untracked-files=normal
elif [ -n "$own_files" ] && [ -d "$tree" ]; then
  git --git-dir="$own_files" --work-tree="$tree" status --porcelain --untracked-files=normal
fi 2>/dev/null | sed 's/^/dirty /'

warn() { printf 'warning %s\n' "$1"; }

# Warns if a branch moved that the run must not move.
check_moved() {
  ref=$1 name=${1#refs/*/} old=$(was "$1") new=$(is "$1")
  case $ref in refs/remotes/*) name=${1#refs/remotes/} ;; esac
  [ -n "$old" ] && [ "$old" != "$new" ] || return
  if [ -z "$new" ]; then
    warn "$name is gone; it was at $(short "$old") when the run began"
    return
  fi
  step="from $(short "$old") to $(short "$new")"
  is_known "$old" || {
    warn "$name was moved $step, and its old commit is gone"
    return
  }
  if ! is_ancestor "$old" "$new"; then
    lost=$(git rev-list --count "$new..$old" --)
    warn "$name was rewound while it ran, $step: $(commits "$lost") less than before"
    return
  fi
  git rev-list --max-count=10000 "$old..$new" -- >"$scratch/range"
  if grep -qFx -f "$scratch/made" "$scratch/range"; then
    warn "its work is on $name, which was moved $step"
    return
  fi
  case $ref in
    refs/remotes/*) ! is_pushed "$ref" || warn "$name was pushed to while it ran, $step" ;;
    *)
      # Commits that were only pulled are on a remote.
      rest=$({ echo "$new"; echo "^$old"; refs "refs/remotes/*/$branch" | sed 's/^\([0-9a-f]*\) .*/^\1/'; } |
        git rev-list --count --stdin)
      [ "$rest" = 0 ] || warn "$name was moved while it ran, $step: $(commits "$rest") more than before"
      ;;
  esac
}

{
  echo "$base"
  awk -v end="/$branch" '$2 ~ /^refs\/remotes\// && substr($2, length($2) - length(end) + 1) == end { print $2 }' "$start"
} | sort -u | while read -r ref; do
  # Of refs/remotes/origin/a/b only the branch a/b, not b.
  [ "${ref#refs/remotes/*/}" = "$branch" ] || [ "$ref" = "$base" ] || continue
  check_moved "$ref"
done

while read -r hash ref; do
  case $ref in refs/heads/changelings/*) continue ;; esac
  ! has_line "$hash" "$scratch/others" || continue
  count=$({ echo "$hash"; cat "$scratch/not"; } | git rev-list --ignore-missing --count --stdin)
  [ "${count:-0}" = 0 ] || warn "${ref#refs/heads/} has $(commits "$count") more than before, not made in its work tree"
done <"$scratch/unknown"
exit 0
