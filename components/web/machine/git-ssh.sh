#!/bin/sh
# GIT_SSH: connects to a machine that mngr knows, only with mngr's key and only to the known host key.
exec ssh -T -i "$CHANGELINGS_SSH_KEY" -o "UserKnownHostsFile=\"$CHANGELINGS_SSH_KNOWN_HOSTS\"" \
  -o BatchMode=yes -o ConnectTimeout=20 -o ControlPath=none -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes \
  -o ServerAliveInterval=15 "$@"
