#!/bin/sh
# git's credential helper in sandboxes. The token is only in environments: mngr's host env file and the agent's own.
[ "${1:-}" = get ] || exit 0
token=${GH_TOKEN:-${GITHUB_TOKEN:-}}
[ -n "$token" ] || exit 0
printf 'username=x-access-token\npassword=%s\n' "$token"
