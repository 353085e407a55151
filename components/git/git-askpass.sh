#!/bin/sh
# Answers git's questions for a user name and a password, and those of one host alone: git also asks for the host that it
# was redirected to, or that a repository's settings put in its place. The token is in the environment alone.
# git asks: Password for 'https://x-access-token@github.com':
site=${1#*\'}
site=${site%\'*}
site=${site#*://}
site=${site%%/*}
[ "${site##*@}" = "$CHANGELINGS_GIT_HOST" ] || exit 1
case $1 in
  Username*) echo x-access-token ;;
  *) printf '%s\n' "$GITHUB_TOKEN" ;;
esac
