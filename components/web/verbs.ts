import type { Verbs } from "../fleet/verbs.ts";
import { changelingCommand } from "../lib/own-commands.ts";

export const webVerbs = {
  run: (name) => `nothing fires it: it runs all the time; open it with: ${changelingCommand()} open ${name}`,
  runs: (name) => `it has no runs: it runs all the time; what it prints: ${changelingCommand()} logs ${name}`,
  pause: (name) => `stop it with: ${changelingCommand()} stop ${name}`,
  resume: (name) => `start it with: ${changelingCommand()} start ${name}`,
  stop: true,
  start: true,
  update: true,
  open: true,
  "login-url": true,
  revoke: true,
  sessions: true,
  "logs --follow": true,
} satisfies Verbs;
