import type { Verbs } from "../fleet/verbs.ts";
import { changelingCommand } from "../lib/own-commands.ts";

const seed = () => `${changelingCommand()} seed`;

export const seedAgentVerbs = {
  run: (name) => `it has no schedule and runs all the time; have it improve itself now: ${seed()} improve ${name}`,
  runs: (name) => `it has changes instead of runs; list them with: ${seed()} changes ${name}`,
  pause: (name) => `stop it from activating changes with: ${seed()} pause ${name}`,
  resume: (name) => `let it activate changes again with: ${seed()} resume ${name}`,
  stop: () => "set enabled = false in the fleet file, and apply it",
  start: () => "set enabled = true in the fleet file, and apply it",
  update: (name) => `submit a change with: ${seed()} submit ${name} FOLDER`,
  open: (name) => `it has no page; print its URL with: ${seed()} open ${name}`,
  "login-url": (name) => `it has no page; print its URL with: ${seed()} open ${name}`,
  "logs --follow": true,
} satisfies Verbs;
