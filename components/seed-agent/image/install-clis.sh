#!/bin/sh
# Installs each CLI below this folder from its lock file, without install scripts, and links its program in `bin`.
set -eu
cd "$(dirname "$0")"
mkdir -p bin
for cli in claude codex; do
  [ -d "$cli" ] || continue
  (cd "$cli" && npm ci --ignore-scripts --prefer-offline --no-audit --no-fund --no-update-notifier --loglevel=error)
  if [ "$cli" = claude ]; then
    # npm's own link leads to a placeholder, which the install script would replace.
    ln -s "$PWD"/claude/node_modules/@anthropic-ai/claude-code-linux-*/claude bin/claude
  else
    ln -s "$PWD/$cli/node_modules/.bin/$cli" "bin/$cli"
  fi
  "bin/$cli" --version
  # Without a CLI, the next step still needs the base image's cache.
  npm cache clean --force 2>/dev/null
  rm -rf /tmp/node-compile-cache
done
