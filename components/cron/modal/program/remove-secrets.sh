#!/bin/sh
# Removes a run's secrets from mngr's environment files on the volume of its machine, which exists as long as its agent is
# kept. The other variables are kept, because an agent needs them when it is started again.
set -u
here=${CHANGELING_FOLDER:-/changeling}
host_dir=$(cat "$here/plan/host-dir")
names=$(tr '\n' ' ' <"$here/plan/secrets")
umask 077

# mngr quotes a value in double quotes if necessary, and escapes the quotes in it. Such a value may have several lines.
# shellcheck disable=SC2016 # it is awk
without='
  function ends(text,   at, c) {
    for (at = 1; at <= length(text); at++) {
      c = substr(text, at, 1)
      if (c == "\\") at++
      else if (c == "\"") return 1
    }
    return 0
  }
  is_open { if (ends($0)) is_open = 0; if (!is_secret) print; next }
  {
    name = $0
    sub(/=.*/, "", name)
    value = substr($0, length(name) + 2)
    is_secret = index(" " names, " " name " ") > 0
    is_open = substr(value, 1, 1) == "\"" && !ends(substr(value, 2))
    if (!is_secret) print
  }
'
for file in "$host_dir/env" "$host_dir"/agents/*/env; do
  [ -f "$file" ] || continue
  # hosts.py recognizes the file by its first line.
  if { echo '# without secrets' && LC_ALL=C awk -v names="$names" "$without" "$file"; } >"$file.new" 2>/dev/null; then
    mv -f "$file.new" "$file"
  else
    rm -f "$file" "$file.new"
  fi
done
