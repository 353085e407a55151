#!/bin/sh
# Keeps a program running on a machine without a service manager: restarts it after a crash, at first within 2 s, and at
# longer and longer intervals if it keeps crashing. Ends when the program exits with 0, or when its folder is gone.
# usage: restart-loop.sh FOLDER PROGRAM [ARGUMENT...]
set -u
folder=$1
shift
umask 077
echo "$$" >"$folder/supervisor.pid"

pause=1
while [ -d "$folder" ]; do
  started=$(date +%s)
  # Keeps only the output of the last start, so that the file does not grow.
  "$@" </dev/null >"$folder/stderr.log" 2>&1 && exit 0
  if [ $(($(date +%s) - started)) -ge 60 ]; then
    pause=1
  fi
  sleep "$pause"
  pause=$((pause < 32 ? pause * 2 : 60))
done
