#!/bin/sh
# Installs the Debian packages that the service needs and the base image lacks: bubblewrap confines versions, tini reaps
# their processes, and ca-certificates has the authorities that Codex trusts.
set -eu
node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 24 ? 1 : 0)' || {
  echo "the base image must have Node 24 or later; it has $(node --version)" >&2
  exit 1
}
packages=
command -v bwrap >/dev/null || packages="$packages bubblewrap"
command -v tini >/dev/null || packages="$packages tini"
[ -e /etc/ssl/certs/ca-certificates.crt ] || packages="$packages ca-certificates"
if [ -n "$packages" ]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # several words
  apt-get install -y -qq --no-install-recommends $packages
  apt-get clean
  rm -rf /var/lib/apt/lists/*
fi
# A company's own authorities, also where the base has ca-certificates already.
if [ -e /usr/local/share/ca-certificates/changelings.crt ]; then
  update-ca-certificates
fi
rm -f /etc/apt/apt.conf.d/90changelings
