#!/bin/sh
# Installs the programs that mngr calls and that the image lacks, from Debian's packages.
set -eu

missing=
need() { # <command> <package>
    command -v "$1" >/dev/null || missing="$missing $2"
}
need ssh openssh-client
need tmux tmux
need git git
need ps procps
need jq jq

if [ -n "$missing" ]; then
    apt-get update
    # shellcheck disable=SC2086 # names of packages, one word each
    apt-get install --yes --no-install-recommends $missing
    rm -rf /var/lib/apt/lists/*
fi
