#!/bin/sh
# Clones a branch to /code/project in a new sandbox, which is then snapshotted. Can be run again.
# usage: clone-for-snapshot.sh REPO BRANCH WORK_DIR, each in base64; WORK_DIR is mngr's, and stays empty.
# The token is in mngr's own environment file, which is on a volume, so no snapshot contains it.
# If it fails, the line that begins with "changelings: " contains the reason.
set -eu
export GIT_TERMINAL_PROMPT=0 LC_ALL=C

fail() {
  printf 'changelings: %s\n' "$1" >&2
  exit 1
}

command -v git >/dev/null || fail "git is not in the image"
repo=$(printf %s "$1" | base64 -d) branch=$(printf %s "$2" | base64 -d) work_dir=$(printf %s "$3" | base64 -d)
mkdir -p "$work_dir"
[ ! -e /code/project/.git ] || exit 0
if [ -f /mngr/env ]; then
  set -a
  # shellcheck disable=SC1091 # mngr writes it
  . /mngr/env
  set +a
fi
# Only the repository's own host gets the token, if it asks for it.
host=$(printf %s "$repo" | sed -n 's|^\(https\{0,1\}://[^/]*\).*|\1|p')
# shellcheck disable=SC2016 # git's shell expands it
answer='!f() { [ "$1" != get ] || printf "username=x-access-token\npassword=%s\n" "${GH_TOKEN:-}"; }; f'
mkdir -p /code
rm -rf /code/project.unfinished
[ ! -e /code/project ] || rmdir /code/project 2>/dev/null || fail "/code/project is in the image, and is not a git repository"
log=$(mktemp)
git -c credential.helper= -c "credential.$host.helper=$answer" \
  clone --quiet --branch "$branch" -- "$repo" /code/project.unfinished 2>"$log" ||
  fail "git clone: $(grep -v '^$' "$log" | tail -n 1)"
rm "$log"
mv /code/project.unfinished /code/project
