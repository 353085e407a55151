#!/usr/bin/env bash
# Raises the version in VERSION, package.json and package-lock.json, and prints the new one.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/bump_version.sh micro|baseline|major [--dry-run]

  micro      X.Y.Z → X.Y.(Z+1)
  baseline   X.Y.Z → X.(Y+1).0
  major      X.Y.Z → (X+1).0.0
  --dry-run  prints the new version, and changes nothing

It commits nothing. `npm run release-micro` and `npm run release-baseline` also check, commit and tag.
TEXT
}

fail() {
  printf 'bump_version.sh: %s\n' "$1" >&2
  exit "${2:-1}"
}

part="" dry_run=false
for argument in "$@"; do
  case "$argument" in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry_run=true ;;
    micro | baseline | major) [[ -z $part ]] || fail "name one part: $part or $argument" 2; part=$argument ;;
    *) fail "unknown argument: $argument (see --help)" 2 ;;
  esac
done
[[ -n $part ]] || { usage >&2; exit 2; }

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ -f VERSION ]] || fail "there is no file VERSION in $PWD"
version=$(<VERSION)
[[ $version =~ ^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$ ]] ||
  fail "VERSION contains \"$version\": write X.Y.Z"
major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]} patch=${BASH_REMATCH[3]}
case "$part" in
  micro) next=$major.$minor.$((patch + 1)) ;;
  baseline) next=$major.$((minor + 1)).0 ;;
  major) next=$((major + 1)).0.0 ;;
esac

if [[ $dry_run == false ]]; then
  # npm first: if it fails, nothing has changed.
  npm version "$next" --no-git-tag-version --allow-same-version --ignore-scripts >/dev/null ||
    fail "npm could not write $next to package.json"
  printf '%s\n' "$next" >VERSION
fi
printf '%s\n' "$next"
