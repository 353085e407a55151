#!/usr/bin/env bash
# Sets the agents' tokens in a Fly app and in a GitHub repository. Values are read from the environment and passed to both
# tools on standard input: no argument, file or output contains one.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/sync_secrets.sh [--app NAME] [--repo OWNER/NAME] [--dry-run]

Reads CLAUDE_CODE_OAUTH_TOKEN and GITHUB_TOKEN (a personal access token with the scopes repo and workflow).

  --app NAME         the Fly app; gets both, and HTTP_SERVER_ENABLED=true
  --repo OWNER/NAME  the GitHub repository; gets CLAUDE_CODE_OAUTH_TOKEN and AGENT_GITHUB_TOKEN, because GitHub refuses
                     secrets whose names begin with GITHUB_
  --dry-run          prints what would be set where, and changes nothing

Example: scripts/sync_secrets.sh --app my-seed-agent --repo me/changelings
TEXT
}

fail() {
  printf 'sync_secrets.sh: %s\n' "$1" >&2
  exit "${2:-1}"
}

app="" repo="" dry_run=false
while (($# > 0)); do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --dry-run) dry_run=true ;;
    --app | --repo)
      (($# > 1)) && [[ $2 != -* ]] || fail "$1 needs a value" 2
      if [[ $1 == --app ]]; then app=$2; else repo=$2; fi
      shift
      ;;
    *) fail "unknown argument: $1 (see --help)" 2 ;;
  esac
  shift
done

problems=()
[[ -n $app || -n $repo ]] || problems+=("name a place: --app NAME, --repo OWNER/NAME, or both")
[[ -z $app || $app =~ ^[a-z0-9][a-z0-9-]{0,62}$ ]] || problems+=("--app: not the name of a Fly app")
[[ -z $repo || $repo =~ ^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$ ]] || problems+=("--repo: write OWNER/NAME")
for name in CLAUDE_CODE_OAUTH_TOKEN GITHUB_TOKEN; do
  value=${!name:-}
  if [[ -z $value ]]; then problems+=("$name is not set")
  elif [[ $value =~ [[:space:][:cntrl:]\"] ]]; then problems+=("$name contains a space, a quote or a control character: copy it again"); fi
done
[[ -z $app ]] || flyctl=$(command -v flyctl || command -v fly) || problems+=("flyctl is not installed: https://fly.io/docs/flyctl/install/")
[[ -z $repo ]] || command -v gh >/dev/null || problems+=("gh is not installed: https://cli.github.com")
if ((${#problems[@]} > 0)); then
  for problem in "${problems[@]}"; do printf 'sync_secrets.sh: %s\n' "$problem" >&2; done
  exit 2
fi

if [[ $dry_run == true ]]; then
  [[ -z $app ]] || echo "would set CLAUDE_CODE_OAUTH_TOKEN, GITHUB_TOKEN and HTTP_SERVER_ENABLED in the Fly app $app"
  [[ -z $repo ]] || echo "would set CLAUDE_CODE_OAUTH_TOKEN and AGENT_GITHUB_TOKEN in the GitHub repository $repo"
  exit 0
fi

# Both are tried, so that a failure of the first does not hide one of the second.
failed=()
if [[ -n $app ]]; then
  if printf 'CLAUDE_CODE_OAUTH_TOKEN=%s\nGITHUB_TOKEN=%s\nHTTP_SERVER_ENABLED=true\n' \
    "$CLAUDE_CODE_OAUTH_TOKEN" "$GITHUB_TOKEN" | "$flyctl" secrets import --app "$app" >&2; then
    echo "the Fly app $app has both tokens"
  else
    failed+=("the Fly app $app: is it there (flyctl apps list), and are you logged in (flyctl auth whoami)?")
  fi
fi
if [[ -n $repo ]]; then
  if printf '%s' "$CLAUDE_CODE_OAUTH_TOKEN" | gh secret set CLAUDE_CODE_OAUTH_TOKEN --repo "$repo" >&2 &&
    printf '%s' "$GITHUB_TOKEN" | gh secret set AGENT_GITHUB_TOKEN --repo "$repo" >&2; then
    echo "the GitHub repository $repo has both tokens"
  else
    failed+=("the GitHub repository $repo: are you logged in (gh auth status), and may you administer it?")
  fi
fi
if ((${#failed[@]} > 0)); then
  for place in "${failed[@]}"; do printf 'sync_secrets.sh: %s\n' "$place" >&2; done
  exit 1
fi
