#!/bin/sh
# Asks a run's sandbox to end, from outside. If the sandbox then ends itself, prints how: "pushes" or "snapshots".
here=${CHANGELING_FOLDER:-/changeling}
cd "$here" 2>/dev/null && : >stop || exit
# The watcher pushes, records the end, and ends the sandbox with a snapshot. The pattern does not match this grep.
if grep -qsxz "$here/watch[.]sh" /proc/[0-9]*/cmdline; then
  echo pushes
  exit
fi
# An agent that the user started again, or that mngr is still creating, has no watcher. It is snapshotted.
shutdown=$(cat plan/host-dir)/commands/shutdown.sh
[ -x "$shutdown" ] || exit
# A snapshot may take minutes; see watch.sh.
sed 's/--max-time 30 /--max-time 330 /' "$shutdown" >shutdown.sh && chmod 700 shutdown.sh || exit
setsid "$here/shutdown.sh" STOPPED >/dev/null 2>&1 </dev/null &
echo snapshots
