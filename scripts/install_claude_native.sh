#!/usr/bin/env bash
# Installs Claude Code's native program. An existing claude is kept aside, and restored if the installation fails.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/install_claude_native.sh [stable|latest|VERSION] [--dry-run]

  stable     the default
  --dry-run  prints what would be downloaded and kept aside, and changes nothing
TEXT
}

fail() {
  printf 'install_claude_native.sh: %s\n' "$1" >&2
  exit "${2:-1}"
}

version="" dry_run=false
for argument in "$@"; do
  case "$argument" in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry_run=true ;;
    -*) fail "unknown argument: $argument (see --help)" 2 ;;
    *) [[ -z $version ]] || fail "name one version: $version or $argument" 2; version=$argument ;;
  esac
done
version=${version:-stable}
[[ $version =~ ^(stable|latest|[0-9]+\.[0-9]+\.[0-9]+)$ ]] || fail "$version: write stable, latest, or a version such as 2.1.0" 2
command -v curl >/dev/null || fail "curl is not installed"

url=https://claude.ai/install.sh
existing=$(command -v claude || true)
if [[ $dry_run == true ]]; then
  echo "would download $url and install $version"
  [[ -z $existing ]] || echo "would keep $existing until the new one answers"
  exit 0
fi

work=$(mktemp -d)
backup=""
if [[ -n $existing ]]; then
  backup=$work/claude
  # A link is kept as a link: what it leads to is not touched by the installer, which only adds versions.
  cp -a "$existing" "$backup"
fi
# Also if it is interrupted.
restore() {
  local code=$?
  if ((code != 0)) && [[ -n $backup ]]; then
    rm -f "$existing"
    cp -a "$backup" "$existing" && printf 'install_claude_native.sh: %s was put back\n' "$existing" >&2
  fi
  rm -rf "$work"
  exit "$code"
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# To a file first: a script of which only a part was downloaded must not run.
curl -fsSL --proto '=https' --tlsv1.2 -o "$work/install.sh" "$url" || fail "$url can't be downloaded"
bash "$work/install.sh" "$version" || fail "the installer of Claude Code $version failed"
hash -r
installed=$(PATH="$HOME/.local/bin:$PATH" command -v claude) || fail "the installer succeeded, but there is no claude"
shown=$("$installed" --version) || fail "$installed does not run"
echo "installed $installed: $shown"
