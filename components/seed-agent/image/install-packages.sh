#!/bin/sh
# Installs what the service needs of Debian: bubblewrap confines versions, tini reaps their processes. Does nothing where
# both are in the base already.
set -eu
command -v bwrap >/dev/null && command -v tini >/dev/null && exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends bubblewrap tini
rm -rf /var/lib/apt/lists/*
