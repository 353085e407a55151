#!/usr/bin/env bash
# Packs the logins of Claude Code and Codex (~/.claude and ~/.codex) into a file for another machine, or unpacks it there.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/bundle_cli_state.sh [--output FILE] [--everything] [--dry-run]
       scripts/bundle_cli_state.sh --restore FILE [--to FOLDER] [--force] [--dry-run]

  --output FILE   what to write (bundles/cli-state.tar.gz), readable only by you
  --everything    also conversations, logs and caches, which a login does not need
  --restore FILE  unpacks .claude and .codex into FOLDER
  --to FOLDER     your home folder by default; /data on a Fly machine, with CLAUDE_HOME=/data/.claude and
                  CODEX_HOME=/data/.codex
  --force         replaces folders that are there; they are kept as .claude.before-restore and .codex.before-restore
  --dry-run       lists what would be packed or unpacked, and changes nothing

The file contains credentials. Delete it when you no longer need it.
TEXT
}

fail() {
  printf 'bundle_cli_state.sh: %s\n' "$1" >&2
  exit "${2:-1}"
}

output=bundles/cli-state.tar.gz restore="" to=${HOME:?} everything=false force=false dry_run=false
while (($# > 0)); do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry_run=true ;;
    --everything) everything=true ;;
    --force) force=true ;;
    --output | --restore | --to)
      (($# > 1)) || fail "$1 needs a value" 2
      case "$1" in
        --output) output=$2 ;;
        --restore) restore=$2 ;;
        --to) to=$2 ;;
      esac
      shift
      ;;
    *) fail "unknown argument: $1 (see --help)" 2 ;;
  esac
  shift
done

umask 077

if [[ -n $restore ]]; then
  [[ -f $restore ]] || fail "there is no file $restore"
  names=$(tar -tzf "$restore") || fail "$restore is not a bundle: it can't be unpacked"
  # Accept only what this script packs: no absolute path, no path out of the folder, no link.
  if grep -qvE '^\.(claude|codex)(/|$)' <<<"$names" || grep -qE '(^|/)\.\.(/|$)' <<<"$names"; then
    fail "$restore is not a bundle of this script: it contains more than .claude and .codex"
  fi
  # Not in a pipe: grep stops at the first match, tar then fails, and with pipefail that would look like no match.
  listing=$(tar -tvzf "$restore")
  if grep -qE '^[^-d]' <<<"$listing"; then fail "$restore contains links or devices, which no login needs"; fi
  mapfile -t folders < <(cut -d/ -f1 <<<"$names" | sort -u)
  present=()
  for folder in "${folders[@]}"; do [[ ! -e $to/$folder ]] || present+=("$to/$folder"); done
  if ((${#present[@]} > 0)) && [[ $force == false ]]; then
    fail "${present[*]} would be replaced: check them, then add --force"
  fi
  if [[ $dry_run == true ]]; then
    printf 'would unpack into %s:\n%s\n' "$to" "$names"
    exit 0
  fi
  mkdir -p "$to"
  staged=$(mktemp -d "$to/.cli-state.XXXXXX")
  trap 'rm -rf "$staged"' EXIT
  tar -xzf "$restore" -C "$staged" --no-same-owner --no-same-permissions
  for folder in "${folders[@]}"; do
    if [[ -e $to/$folder ]]; then
      rm -rf "$to/$folder.before-restore"
      mv "$to/$folder" "$to/$folder.before-restore"
    fi
    mv "$staged/$folder" "$to/$folder"
  done
  echo "restored ${folders[*]} in $to"
  exit 0
fi

folders=()
for folder in .claude .codex; do [[ ! -d $HOME/$folder ]] || folders+=("$folder"); done
((${#folders[@]} > 0)) || fail "there is neither $HOME/.claude nor $HOME/.codex: log in first (claude setup-token, codex login)"
excluded=()
if [[ $everything == false ]]; then
  # Conversations can contain anything that was ever said to the agent.
  for name in projects todos shell-snapshots shell_snapshots statsig logs log cache sessions history.jsonl file-history debug tmp; do
    excluded+=("--exclude=.claude/$name" "--exclude=.codex/$name")
  done
fi
if [[ $dry_run == true ]]; then
  echo "would pack into $output:"
  tar -czf - "${excluded[@]}" -C "$HOME" "${folders[@]}" | tar -tzf -
  exit 0
fi
mkdir -p "$(dirname "$output")"
partial=$(mktemp "$output.XXXXXX")
trap 'rm -f "$partial"' EXIT
tar -czf "$partial" "${excluded[@]}" -C "$HOME" "${folders[@]}" || fail "tar could not pack ${folders[*]}"
chmod 600 "$partial"
mv -f "$partial" "$output"
echo "packed ${folders[*]} into $output, which contains credentials"
