#!/bin/sh
# Prepares a new sandbox for its agent: the user's ssh keys, the code on a new branch, and a watcher.
# Its inputs are in /changeling/plan, one file for each value. If it is run again, it continues where it stopped.
# If it fails, the line that begins with "changelings: " contains the reason.
set -u
here=${CHANGELING_FOLDER:-/changeling}
export GIT_TERMINAL_PROMPT=0 LC_ALL=C

plan() { cat "$here/plan/$1"; }

fail() {
  printf 'changelings: %s\n' "$1" >&2
  exit 1
}

# Runs git. Fails with git's first `fatal:` line, else with its last line.
git_or_fail() {
  git "$@" 2>"$here/git.log" && return
  fail "git $1: $(grep -m 1 '^fatal: ' "$here/git.log" || grep -v '^$' "$here/git.log" | tail -n 1)"
}

repo=$(plan repo) branch=$(plan branch) new_branch=$(plan new-branch) commit=$(plan commit) work_dir=$(plan work-dir)
[ -f "$here/started" ] || cut -d . -f 1 /proc/uptime >"$here/started"

# The token for everything that runs beside the agent.
if [ -f "$(plan host-dir)/env" ]; then
  set -a
  # shellcheck disable=SC1091 # mngr writes it
  . "$(plan host-dir)/env"
  set +a
fi
command -v git >/dev/null || fail "git is not in the image"

ssh_folder=${HOME:-/root}/.ssh
mkdir -p "$ssh_folder" && chmod 700 "$ssh_folder"
touch "$ssh_folder/authorized_keys" && chmod 600 "$ssh_folder/authorized_keys"
while IFS= read -r key; do
  grep -qxF -e "$key" "$ssh_folder/authorized_keys" || printf '%s\n' "$key" >>"$ssh_folder/authorized_keys"
done <"$here/authorized_keys"

# Applies to the agent's git too. Only the declared repository's own host gets the token, if it asks for it.
host=$(printf '%s' "$repo" | sed -n 's|^\(https\{0,1\}://[^/]*\).*|\1|p')
[ -z "$host" ] || git_or_fail config --global --replace-all "credential.$host.helper" "!sh $here/git-credential.sh"
git_or_fail config --global user.name "$(plan git-name)"
git_or_fail config --global user.email "$(plan git-email)"
git_or_fail config --global push.default current

if [ ! -e "$work_dir/.git" ] && [ -n "$commit" ]; then
  [ -f "$here/repo.tar.gz" ] || fail "the image contains no repository; its Dockerfile must not remove $here"
  mkdir -p "$work_dir"
  tar -xzf "$here/repo.tar.gz" -C "$work_dir" || fail "the repository's tarball could not be unpacked"
elif [ ! -e "$work_dir/.git" ]; then
  mkdir -p "$(dirname "$work_dir")"
  rm -rf "$work_dir.unfinished"
  # Don't clone into a non-empty work dir of the image that is not a repository.
  [ ! -e "$work_dir" ] || rmdir "$work_dir" 2>/dev/null || fail "$work_dir is in the image, and is not a git repository"
  git_or_fail clone --quiet --branch "$branch" -- "$repo" "$work_dir.unfinished"
  mv "$work_dir.unfinished" "$work_dir"
elif [ -z "$commit" ] && [ ! -f "$here/base" ]; then
  git_or_fail -C "$work_dir" remote set-url origin "$repo"
  git_or_fail -C "$work_dir" fetch --quiet origin "+refs/heads/$branch:refs/remotes/origin/$branch"
fi
if [ ! -f "$here/base" ]; then
  # With its base as upstream, a plain `git push` could push the branch onto the base.
  git_or_fail -C "$work_dir" checkout --quiet --force --no-track -B "$new_branch" "${commit:-origin/$branch}"
  git_or_fail -C "$work_dir" rev-parse HEAD >"$here/base.new"
  sh "$here/git-work.sh" begin "$work_dir" >"$here/refs" || fail "the repository's refs could not be read"
  mv "$here/base.new" "$here/base"
fi

mkdir -p "$here/run" && chmod 700 "$here/run"
cp "$here/plan/secrets" "$here/run/secrets"
if mkdir "$here/watched" 2>/dev/null; then
  setsid sh "$here/watch.sh" >"$here/watch.log" 2>&1 </dev/null &
fi
