#!/bin/sh
# Starts the service. As root (see the Dockerfile's stage `root-volumes`) it first gives /data to the service's user.
set -eu
run="exec"
if [ "$(id -u)" = 0 ]; then
  chown 10001:10001 /data
  chmod 0700 /data
  run="exec setpriv --reuid=10001 --regid=10001 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs"
fi
$run node /opt/seed-agent/program/main.mjs
