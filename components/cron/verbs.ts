import type { Verbs } from "../fleet/verbs.ts";
import { changelingCommand, upCommand } from "../lib/own-commands.ts";

const noPage = (name: string) => `it has no page; what its runs did: ${changelingCommand()} logs ${name}`;
const noLogin = () => "it has no page, so nobody can be logged in";

export const cronVerbs = {
  run: true,
  runs: true,
  pause: true,
  resume: true,
  stop: (name) => `it is fired by its schedule; pause it with: ${changelingCommand()} pause ${name}`,
  start: (name) =>
    `it is fired by its schedule; fire it now with: ${changelingCommand()} run ${name}, or enable it: ${changelingCommand()} resume ${name}`,
  update: () => `each of its runs takes its branch's newest commit; apply what you changed with: ${upCommand()}`,
  open: noPage,
  "login-url": noPage,
  revoke: noLogin,
  sessions: noLogin,
  "logs --follow": () => `wait for a run with: ${changelingCommand()} run --wait`,
} satisfies Verbs;
