import type { Verbs } from "../fleet/verbs.ts";
import { changelingCommand } from "../lib/own-commands.ts";

export const webVerbs = {
  run: (name) => `it has no schedule, because it runs all the time; open it with: ${changelingCommand()} open ${name}`,
  runs: (name) =>
    `it has no runs, because it runs all the time; see its output with: ${changelingCommand()} logs ${name}`,
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
