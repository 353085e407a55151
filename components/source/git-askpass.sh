#!/bin/sh
# Answers git's questions for a user name and a password of github.com; the token is in the environment alone.
case $1 in
  Username*) echo x-access-token ;;
  *) printf '%s\n' "$GITHUB_TOKEN" ;;
esac
