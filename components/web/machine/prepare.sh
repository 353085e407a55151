#!/bin/sh
# Writes the files in an agent's repo that are in no commit. Runs there whenever the agent is provisioned. The arguments
# are texts in base64; an empty one means that there is none.
#   settings  the text of .changelings/settings.toml
#   remote    the git remote that the agent's commits are pushed to
#   branch    the branch there
#   hook      the post-commit hook that pushes
#   keys      the public keys of the user's machines, one per line
set -e
text() { [ -z "$1" ] || printf %s "$1" | base64 -d; }
settings=.changelings/settings.toml
# shellcheck disable=SC2016 # not for the shell to expand
sign='written by `pulumi up`'
# Each start of git takes milliseconds, and most repos have no such remote.
is_linked() {
  while read -r line; do case $line in *changelings*) return 0 ;; esac done <.git/config
  return 1
}
mkdir -p "$CHANGELING_MEMORY" .git/hooks .git/info

if [ -n "$1" ]; then
  mkdir -p .changelings
  text "$1" >"$settings"
  grep -qxF "/$settings" .git/info/exclude 2>/dev/null || echo "/$settings" >>.git/info/exclude
elif [ -e "$settings" ] && head -n 1 "$settings" 2>/dev/null | grep -qi "$sign"; then
  rm "$settings"
fi

hook=.git/hooks/post-commit
if [ ! -e "$hook" ] || grep -q "$sign" "$hook"; then
  rm -f "$hook"
  ! is_linked || git remote remove changelings 2>/dev/null || true
  if [ -n "$2" ]; then
    git config remote.changelings.url "$(text "$2")"
    git config changelings.branch "$(text "$3")"
    text "$4" >"$hook"
    chmod 700 "$hook"
    "$hook"
  fi
fi

# A machine that mngr restarts only accepts the key of the machine that restarted it.
keys="$MNGR_AGENT_STATE_DIR/changelings-keys"
text "$5" >"$keys"
mkdir -p ~/.ssh
while read -r key; do
  grep -qxF -- "$key" ~/.ssh/authorized_keys 2>/dev/null || echo "$key" >>~/.ssh/authorized_keys
done <"$keys"
