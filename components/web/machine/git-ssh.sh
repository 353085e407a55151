#!/bin/sh
# GIT_SSH: ssh to a machine that mngr knows, by its key and to its known host key alone.
exec ssh -T -i "$CHANGELINGS_SSH_KEY" -o "UserKnownHostsFile=\"$CHANGELINGS_SSH_KNOWN_HOSTS\"" \
  -o BatchMode=yes -o ConnectTimeout=20 -o ControlPath=none -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes \
  -o ServerAliveInterval=15 "$@"
