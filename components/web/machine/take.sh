#!/bin/sh
# Moves the branch that an agent works on from one commit to another, with its files; both are in its repo. What it
# changed and committed nowhere stays, or nothing is moved. Prints "moved" when the agent has committed in between.
before=$1
after=$2
export LC_ALL=C
test "$(git rev-parse --verify HEAD)" = "$before" || { echo moved; exit; }
exec git -c core.hooksPath=/dev/null merge --quiet --ff-only "$after"
