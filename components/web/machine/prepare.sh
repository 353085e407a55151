#!/bin/sh
# Run in the agent's repo whenever it is provisioned: what stands there and is in no commit. The arguments are texts in
# base64; an empty one says that there is none.
#   settings  the text of .changelings/settings.toml
#   remote    the git remote that its commits are pushed to
#   branch    its branch there
#   hook      the post-commit hook that pushes
#   keys      the public keys of the person's machines, one a line
set -e
text() { printf %s "$1" | base64 -d; }
settings=.changelings/settings.toml
# shellcheck disable=SC2016 # it is text
sign='written by `pulumi up`'
mkdir -p "$CHANGELING_MEMORY" .git/hooks .git/info

if [ -n "$1" ]; then
  mkdir -p .changelings
  text "$1" >"$settings"
  grep -qxF "/$settings" .git/info/exclude 2>/dev/null || echo "/$settings" >>.git/info/exclude
elif head -n 1 "$settings" 2>/dev/null | grep -qi "$sign"; then
  rm "$settings"
fi

hook=.git/hooks/post-commit
if [ ! -e "$hook" ] || grep -q "$sign" "$hook"; then
  rm -f "$hook"
  git remote remove changelings 2>/dev/null || true
  if [ -n "$2" ]; then
    git config remote.changelings.url "$(text "$2")"
    git config changelings.branch "$(text "$3")"
    text "$4" >"$hook"
    chmod 700 "$hook"
    "$hook"
  fi
fi

# A machine that mngr starts anew lets in nobody but who started it.
keys="$MNGR_AGENT_STATE_DIR/changelings-keys"
text "$5" >"$keys"
mkdir -p ~/.ssh
while read -r key; do
  grep -qxF -- "$key" ~/.ssh/authorized_keys 2>/dev/null || echo "$key" >>~/.ssh/authorized_keys
done <"$keys"
