#!/bin/sh
# Makes a .tar.gz of one commit: a git repository with its files checked out, in which an agent can branch, commit and
# push (spec 000, "commit-pinned Dockerfile").
#
# usage: make_tar_of_repo.sh REPO COMMIT OUT
#   REPO    a local repository, which needs no network, or a URL
#   COMMIT  its 40 hexadecimal digits; in a local repository any name of a commit
#   OUT     written completely or not at all; an existing file with this commit is kept
# environment:
#   BRANCH         the branch that is checked out (default: main)
#   HISTORY_DEPTH  the depth of the history, in commits (default: 1)
#   ORIGIN         URL of `origin` (default: that of REPO, as https and without credentials)
#
# The same commit, branch, depth and origin give the same bytes: times are those of the commit, the owner is root, and
# neither the user's git settings nor the packs of REPO matter. Another gzip (macOS), or another version of git that packs
# a deeper history, may give other bytes, which unpack to the same files.
# It contains no untracked or ignored files, hooks, reflogs or stashes. A submodule is an empty folder, and a file of Git
# LFS is its pointer, as after a clone without submodules and LFS.
# Needs git 2.38 or later, and gzip.
set -eu

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

[ $# -eq 3 ] || fail "usage: $0 REPO COMMIT OUT"
repo=$1 commit=$2 out=$3
branch=${BRANCH:-main} depth=${HISTORY_DEPTH:-1}
export LC_ALL=C GIT_TERMINAL_PROMPT=0 GIT_NO_REPLACE_OBJECTS=1 GIT_OPTIONAL_LOCKS=0
umask 077
unset GZIP
# shellcheck disable=SC2046 # names of variables, one a word
unset $(git rev-parse --local-env-vars)

case $depth in
  '' | *[!0-9]* | 0*) fail "HISTORY_DEPTH must be a number of commits, at least 1, not \"$depth\"" ;;
esac
git check-ref-format "refs/heads/$branch" || fail "\"$branch\" is not a valid branch name"
case $commit in
  -*) fail "\"$commit\" is not a commit" ;;
esac

# Prints https://host/path for a URL that git clones from, without credentials; nothing for a path or file://.
https_url() {
  case $1 in
    http://* | https://*) scheme=${1%%://*} rest=${1#*://} ;;
    ssh://* | git://* | git+ssh://*) scheme=ssh rest=${1#*://} ;;
    *://* | /* | ./* | ../*) return 0 ;;
    *:*)
      scheme=ssh rest=${1#*:}
      rest=${1%%:*}/${rest#/}
      ;;
    *) return 0 ;;
  esac
  host=${rest%%/*} path=${rest#*/}
  host=${host##*@}
  [ "$scheme" != ssh ] || host=${host%:*}
  case $scheme:$host in
    # Host names that are only for ssh.
    ssh:ssh.github.com) host=github.com ;;
    ssh:altssh.*) host=${host#altssh.} ;;
    http:127.0.0.1 | http:127.0.0.1:* | http:localhost | http:localhost:*)
      echo "http://$host/${path%%[?#]*}"
      return 0
      ;;
  esac
  echo "https://$host/${path%%[?#]*}"
}

is_local=false
[ ! -e "$repo" ] || is_local=true
if $is_local; then
  folder=$(cd "$repo" && pwd)
  in_repo() { git -C "$folder" "$@"; }
  commit=$(in_repo rev-parse --quiet --verify "$commit^{commit}") || fail "$repo has no commit $2"
fi
if [ -s "$out" ] && [ "$(gzip -dc "$out" 2>/dev/null | git get-tar-commit-id 2>/dev/null)" = "$commit" ]; then exit 0; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/repo-tar.XXXXXX")
trap 'rm -rf "$work" "$out.$$"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A temporary repository with known settings, which borrows the objects of a local REPO.
GIT_DIR=$work/source
GIT_CONFIG_GLOBAL=/dev/null git init --quiet --bare --template= --object-format=sha1 "$GIT_DIR"
if $is_local; then
  origin=${ORIGIN-$(https_url "$(in_repo remote get-url origin 2>/dev/null || :)")}
  objects=$(in_repo rev-parse --path-format=absolute --git-path objects)
  printf '"%s"\n' "$(printf %s "$objects" | sed 's/[\\"]/\\&/g')" >"$GIT_DIR/objects/info/alternates"
  shallow=$(in_repo rev-parse --path-format=absolute --git-path shallow)
  [ ! -s "$shallow" ] || cat "$shallow" >"$GIT_DIR/shallow"
else
  origin=${ORIGIN-$(https_url "$repo")}
  git --git-dir="$GIT_DIR" fetch --quiet --no-tags --depth="$depth" -- "$repo" "$commit" ||
    fail "the commit $commit can't be fetched from $repo"
  commit=$(git --git-dir="$GIT_DIR" rev-parse --verify "FETCH_HEAD^{commit}")
fi
export GIT_DIR GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1

# The commits whose parents are omitted: those at the requested depth, and those where the source itself is shallow.
: >>"$GIT_DIR/shallow"
walk=--topo-order
[ "$depth" -ne 1 ] || walk=--no-walk
git rev-list --parents "$walk" "$commit" | awk -v depth="$depth" -v shallow="$GIT_DIR/shallow" '
  BEGIN { while ((getline line < shallow) > 0) ends[line] = 1 }
  NR == 1 { distance[$1] = 1 }
  !($1 in distance) { next }
  $1 in ends || distance[$1] == depth { print $1; next }
  { for (i = 2; i <= NF; i++) if (!($i in distance) || distance[$i] > distance[$1] + 1) distance[$i] = distance[$1] + 1 }
' >"$work/ends"
rm "$GIT_DIR/shallow"
: >"$work/shallow"
if [ -s "$work/ends" ]; then
  git rev-list --parents --no-walk --stdin <"$work/ends" | awk 'NF > 1 { print $1 }' | sort >"$work/shallow"
fi

# The .git of the tarball.
git=$work/git
mkdir -p "$git/objects/pack"
printf 'ref: refs/heads/%s\n' "$branch" >"$git/HEAD"
set_config() { git config --file "$git/config" "$1" "$2"; }
set_config core.repositoryformatversion 0
set_config core.filemode true
set_config core.bare false
set_config core.logallrefupdates true
write_ref() {
  mkdir -p "$(dirname "$git/$1")"
  printf '%s\n' "$commit" >"$git/$1"
}
write_ref "refs/heads/$branch"
if [ -n "$origin" ]; then
  set_config remote.origin.url "$origin"
  set_config remote.origin.fetch "+refs/heads/*:refs/remotes/origin/*"
  set_config "branch.$branch.remote" origin
  set_config "branch.$branch.merge" "refs/heads/$branch"
  write_ref "refs/remotes/origin/$branch"
fi
if [ -s "$work/shallow" ]; then cp "$work/shallow" "$GIT_DIR/shallow" && cp "$work/shallow" "$git/shallow"; fi
# Repacked by one thread, because reused packs would depend on the source's history of packing. Not compressed, because
# gzip follows; deltas are only useful with more than one commit.
window=0
[ "$depth" -eq 1 ] || window=10
echo "$commit" | git -c pack.indexVersion=2 -c pack.writeReverseIndex=false pack-objects --quiet --revs --threads=1 \
  --no-use-bitmap-index --no-reuse-object --no-reuse-delta --window="$window" --compression=0 \
  "$git/objects/pack/pack" >"$work/pack" || fail "the commit $commit can't be packed"
# This index contains no file times, so the first `git status` compares contents.
GIT_INDEX_FILE=$git/index git -c index.version=2 -c index.threads=1 read-tree "$commit"

# `git archive` adds the files of the commit, and .git as additional files.
mkdir -p "$GIT_DIR/info"
echo '* -export-ignore -export-subst' >"$GIT_DIR/info/attributes"
set -- HEAD config index
[ ! -e "$git/shallow" ] || set -- "$@" shallow
pack=objects/pack/pack-$(cat "$work/pack")
set -- "$@" "$pack.pack" "$pack.idx" "refs/heads/$branch"
[ -z "$origin" ] || set -- "$@" "refs/remotes/origin/$branch"
for file in "$@"; do
  shift
  prefix=.git/$file
  set -- "$@" "--prefix=${prefix%/*}/" "--add-file=$git/$file"
done
mkdir -p "$(dirname "$out")"
{
  git -c tar.umask=022 -c core.attributesFile=/dev/null archive --format=tar "$@" --prefix= "$commit" ||
    : >"$work/failed"
} | gzip -n -1 >"$out.$$"
[ ! -e "$work/failed" ] || fail "the commit $commit can't be archived"
mv "$out.$$" "$out"
