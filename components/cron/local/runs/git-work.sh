#!/bin/sh
# What a run did, as git shows it: which commits it made, where they are, and what it left uncommitted, whatever branch
# its agent put them on. Both providers use it: the watcher in a sandbox, and the scheduler on this machine.
#
# git-work.sh begin FOLDER
#   Before the agent starts. Prints the refs and work trees of the repository, for `end` to compare with.
# git-work.sh end FOLDER START BASE OWN [WORK_TREE]
#   After it has ended. START is the file with what `begin` printed, BASE the full ref that the run started from
#   (refs/heads/main, refs/remotes/origin/main), OWN the branch that was made for the run. WORK_TREE is the agent's, in a
#   repository that others use too (empty: it is gone); without it the whole repository is the agent's. Prints lines:
#     commit HASH SUBJECT    the newest 100, newest first; a subject has at most 200 columns
#     branch COUNT NAME      a local branch that holds COUNT of them
#     changed                at least one branch differs in content from what it was made from
#     dirty STATUS NAME      a file with changes that no commit holds
#     warning TEXT           what happened to the base branch, its remotes, and to branches of unknown origin
#
# A commit is the run's when a branch of the run's holds it, and nothing else does that was there at the start, nor the
# base branch, nor a remote, except where the agent pushed it there. The agent can write the repository: nothing here
# believes more than refs and reflogs, and no hook or monitor of the repository's is started.
set -u
export LC_ALL=C GIT_OPTIONAL_LOCKS=0 GIT_NO_REPLACE_OBJECTS=1 GIT_NO_LAZY_FETCH=1

command=$1 folder=$2
cd "$folder" || exit 1

git() { command git -c core.fsmonitor=false -c core.hooksPath=/dev/null -c core.quotePath=true "$@"; }

refs() { git for-each-ref --format='%(objectname) %(refname)' "$@"; }

# Prints the folders of all work trees, the main one first.
work_trees() { git worktree list --porcelain | sed -n 's/^worktree //p'; }

if [ "$command" = begin ]; then
  echo "refs and work trees before the run"
  refs refs/heads refs/remotes refs/tags
  work_trees | sed 's/^/worktree /'
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
none=$(git hash-object -t tree /dev/null)

was() { awk -v ref="$1" '$2 == ref { print $1; exit }' "$start"; }
is() { git rev-parse --quiet --verify "$1^{commit}"; }
short() { printf '%.10s' "$1"; }
is_ancestor() { git merge-base --is-ancestor "$1" "$2" 2>/dev/null; }
is_known() { git cat-file -e "$1^{commit}" 2>/dev/null; }
has_line() { grep -qFx -e "$1" "$2"; }
commits() { if [ "$1" = 1 ]; then printf '1 commit'; else printf '%s commits' "$1"; fi; }

physical() { (cd "$1" 2>/dev/null && pwd -P) || printf '%s\n' "$1"; }

# Prints the folder of git's files for a linked work tree, and a tab, and the work tree.
linked_trees() {
  for files in "$common"/worktrees/*/; do
    [ -f "$files/gitdir" ] || continue
    gitdir=$(head -n 1 "$files/gitdir")
    case $gitdir in /*) ;; *) gitdir=$files$gitdir ;; esac
    printf '%s\t%s\n' "$files" "$(physical "${gitdir%/.git}")"
  done
}

# The reflogs of HEAD in the agent's work trees: its own, and those that it made below it.
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
# Wherever its HEAD has been, and the commits among them that were made there.
awk '{ print $2 }' "$scratch/log" | sort -u >"$scratch/seen"
awk -F '\t' '$2 ~ /^(commit|cherry-pick|revert|am|rebase \((pick|reword|edit|squash|fixup|continue)\))|Merge made by/ {
  split($1, field, " "); print field[2]
}' "$scratch/log" | sort -u >"$scratch/made"

# Reflogs of HEAD in the work trees that were there before: what people, and other runs, did meanwhile.
: >"$scratch/others"
if [ "$shared" = yes ]; then
  sed -n 's/^worktree //p' "$start" | while IFS= read -r each; do
    log=$(git -C "$each" rev-parse --git-path logs/HEAD 2>/dev/null) || continue
    (cd "$each" && awk '{ print $2 }' "$log") >>"$scratch/others" 2>/dev/null
  done
fi

# True for a remote's branch that the agent pushed, as far as this repository can know.
is_pushed() {
  case $(git reflog show --format=%gs -1 "$1" 2>/dev/null) in 'update by push'*) return 0 ;; esac
  has_line "$(is "$1")" "$scratch/made"
}

if [ "$shared" = no ]; then
  head=$(is HEAD)
  head_branch=$(git symbolic-ref --quiet HEAD)
else
  # Prints what git says of the agent's work tree after this word.
  of_tree() {
    git worktree list --porcelain | awk -v tree="worktree $tree" -v key="$1" '
      $1 == "worktree" { inside = $0 == tree }
      inside && $1 == key { print $2 }'
  }
  head=$(of_tree HEAD)
  head_branch=$(of_tree branch)
  is_known "$head" || head=''
fi

refs refs/heads refs/remotes >"$scratch/now"
awk 'NR == FNR { before[$0]; next } !($0 in before)' "$start" "$scratch/now" >"$scratch/changed"

# What is not the run's, as arguments of rev-list.
{
  sed -n 's/^\([0-9a-f]\{40,\}\) .*/^\1/p' "$start"
  refs "$base" "refs/remotes/*/$branch" | sed 's/^\([0-9a-f]*\) .*/^\1/'
} | sort -u >"$scratch/not"
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
cut -d ' ' -f 1 "$scratch/unknown" | sed 's/^/^/' >"$scratch/not-others"

# rev-list of a commit without what is not the run's.
list() {
  tip=$1
  shift
  { echo "$tip"; cat "$scratch/not" "$scratch/not-others"; } | git rev-list --ignore-missing --stdin "$@"
}

# Commits that no branch holds go with the work tree: they get one.
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
  echo "$head"
  cat "$scratch/not" "$scratch/not-others"
} | grep . | git rev-list --ignore-missing --stdin --topo-order --max-count=100 --encoding=UTF-8 \
  --format='%H %<(200,trunc)%s' | grep -v '^commit ' | sed 's/^/commit /; s/ *$//' | cut -c 1-1000

# True when a commit's content is that of none of the commits that the run's work was made from.
differs() {
  list "$1" --boundary | sed -n 's/^-\(.*\)/\1^{tree}/p' | git cat-file --batch-check='%(objectname)' >"$scratch/bases"
  [ -s "$scratch/bases" ] || echo "$none" >"$scratch/bases"
  ! has_line "$(git rev-parse "$1^{tree}")" "$scratch/bases"
}

# The run's own branch first.
awk -v own="$own" '{ print ($2 == own ? 0 : 1), $0 }' "$scratch/branches" | sort -s -n -k 1,1 | cut -d ' ' -f 2- >"$scratch/sorted"
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

# Says what happened to a branch that was not the run's to move.
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
      # What was only pulled is on a remote.
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
