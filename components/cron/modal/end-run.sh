#!/bin/sh
# Asks for the end of what goes on in a run's sandbox, from outside of it. When the sandbox then ends itself, this says
# how: "pushes" or "snapshots".
here=${CHANGELING_FOLDER:-/changeling}
cd "$here" 2>/dev/null && : >stop || exit
# The watcher pushes, records, and ends the sandbox with a snapshot. In a pattern that does not match itself.
if grep -qsxz "$here/watch[.]sh" /proc/[0-9]*/cmdline; then
  echo pushes
  exit
fi
# Nobody watches over an agent that its person has brought back, or that mngr is about to make: it is snapshotted.
shutdown=$(cat plan/host-dir)/commands/shutdown.sh
[ -x "$shutdown" ] || exit
# A snapshot may take minutes; see watch.sh.
sed 's/--max-time 30 /--max-time 330 /' "$shutdown" >shutdown.sh && chmod 700 shutdown.sh || exit
setsid "$here/shutdown.sh" STOPPED >/dev/null 2>&1 </dev/null &
echo snapshots
