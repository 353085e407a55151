#!/bin/sh
# Keeps a program running where there is no service manager: starts it again after a crash, at first within 2 s, then,
# when it keeps crashing, at longer and longer intervals. When it ends with 0, or its folder is gone, so does this.
# usage: restart-loop.sh FOLDER PROGRAM [ARGUMENT...]
set -u
folder=$1
shift
umask 077
echo "$$" >"$folder/supervisor.pid"

pause=1
while [ -d "$folder" ]; do
  started=$(date +%s)
  # Only the last crash's words are kept, so this does not grow.
  "$@" </dev/null >"$folder/stderr.log" 2>&1 && exit 0
  if [ $(($(date +%s) - started)) -ge 60 ]; then
    pause=1
  fi
  sleep "$pause"
  pause=$((pause < 32 ? pause * 2 : 60))
done
