#!/bin/sh
# Copies the list to backup/, under today's date.
set -eu
mkdir -p backup
# TODO: keep the last ten, remove the older ones
cp pantry.txt "backup/pantry-$(date +%Y-%m-%d).txt"
