import type { Verbs } from "../fleet/verbs.ts";
import { changelingCommand } from "../lib/own-commands.ts";

export const sandboxVerbs = {
  run: (name) => `start a session with: ${changelingCommand()} sandbox start ${name}`,
  runs: () => `it has sessions instead of runs; list them with: ${changelingCommand()} sandbox list`,
  pause: (name) => `set enabled = false in the fleet file; a session: ${changelingCommand()} sandbox pause ${name}`,
  resume: (name) => `set enabled = true in the fleet file; a session: ${changelingCommand()} sandbox resume ${name}`,
  start: (name) => `start a session with: ${changelingCommand()} sandbox start ${name}`,
  stop: (name) => `stop its newest session with: ${changelingCommand()} sandbox stop ${name}`,
  open: (name) => `open the page of its newest session with: ${changelingCommand()} sandbox open ${name}`,
  "login-url": (name) => `print a login URL of its page with: ${changelingCommand()} sandbox login-url ${name}`,
  revoke: (name) =>
    `its page has the same logins for all sandboxes; end them with: ${changelingCommand()} revoke --all, or a guest's access: ${changelingCommand()} sandbox revoke ${name} PERSON`,
  "logs --follow": (name) => `follow a session with: ${changelingCommand()} sandbox attach ${name}`,
} satisfies Verbs;
