#!/bin/sh
# Answers git's prompts for a user name and a password, but only for one host. git also prompts for a host that it was
# redirected to, or that a repository's settings substitute. The token is in the environment only.
# git's prompt: Password for 'https://x-access-token@github.com':
host=${1#*\'}
host=${host%\'*}
host=${host#*://}
host=${host%%/*}
[ "${host##*@}" = "$CHANGELINGS_GIT_HOST" ] || exit 1
case $1 in
  Username*) echo x-access-token ;;
  *) printf '%s\n' "$GITHUB_TOKEN" ;;
esac
