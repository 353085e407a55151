import { installedNames } from "../../components/cron/local/installed-files.ts";
import { declaredNames } from "../../components/fleet/edit-tables.ts";
import type { Fleet } from "../../components/kinds.ts";
import { changelingCommand, upCommand } from "../../components/lib/own-commands.ts";
import { didYouMean } from "../../components/lib/suggest.ts";
import { readRecord, type WebRecord } from "../../components/web/agent/record.ts";
import type { DeclaredWeb } from "../../components/web/declared.ts";
import type { Place } from "./context.ts";
import { requireStack } from "./known-stack.ts";
import { deployedWeb } from "./web-side.ts";

/** For each command of only one kind, what to use for the other kind. */
const insteadForWeb = {
  run: (name: string) => `nothing fires it: it runs all the time; open it with: ${changelingCommand()} open ${name}`,
  runs: (name: string) => `it has no runs: it runs all the time; what it prints: ${changelingCommand()} logs ${name}`,
  pause: (name: string) => `stop it with: ${changelingCommand()} stop ${name}`,
  resume: (name: string) => `start it with: ${changelingCommand()} start ${name}`,
} as const;

const insteadForCron = {
  stop: (name: string) => `it is fired by its schedule; pause it with: ${changelingCommand()} pause ${name}`,
  start: (name: string) =>
    `it is fired by its schedule; fire it now with: ${changelingCommand()} run ${name}, or enable it: ${changelingCommand()} resume ${name}`,
  update: () => `each of its runs takes its branch's newest commit; apply what you changed with: ${upCommand()}`,
  open: (name: string) => `it has no page; what its runs did: ${changelingCommand()} logs ${name}`,
  "login-url": (name: string) => `it has no page; what its runs did: ${changelingCommand()} logs ${name}`,
  revoke: () => "it has no page, so nobody can be logged in",
  sessions: () => "it has no page, so nobody can be logged in",
} as const;

export type CronOnly = keyof typeof insteadForWeb;
export type WebOnly = keyof typeof insteadForCron;

export function webInstead(name: string, verb: CronOnly): Error {
  return new Error(`${name} is a web changeling: ${insteadForWeb[verb](name)}`);
}

export function cronInstead(name: string, verb: WebOnly): Error {
  return new Error(`${name} is a scheduled changeling: ${insteadForCron[verb](name)}`);
}

/** @throws with what to do instead if the name is a web changeling's */
export function refuseWeb(place: Place, name: string, verb: CronOnly): void {
  if (deployedWeb(place).some((record) => record.name === name)) throw webInstead(name, verb);
}

/** @throws if no web changeling of that name is deployed: with what to do instead, or with a suggestion */
export async function requireWeb(place: Place, name: string, verb: WebOnly): Promise<WebRecord> {
  // Pages only know the agent's id.
  const record = deployedWeb(place).find(({ agentId }) => agentId === name) ?? readRecord(place.paths, name);
  if (record !== undefined && record.removed !== true) return record;
  if (installedNames(place.paths).includes(name)) throw cronInstead(name, verb);
  if (record !== undefined) throw new Error(removedText(record));
  const names = deployedWeb(place).map((each) => each.name);
  if (names.length === 0) {
    await requireStack(place);
    throw new Error(`no web changeling is deployed on this stack; deploy one with: ${changelingCommand()} deploy`);
  }
  throw new Error(notDeployedText("web changeling", name, names));
}

export function removedText({ name, repo }: WebRecord): string {
  return `${name} was removed; its repo is kept in ${repo}. Declared again, it gets it back`;
}

/** @param names of deployed changelings, at least one */
export function notDeployedText(what: string, name: string, names: readonly string[]): string {
  const meant = didYouMean(name, names);
  const hint = meant === undefined ? `deployed are: ${names.join(", ")}` : `did you mean ${meant}?`;
  return `no ${what} "${name}" is deployed on this stack; ${hint}`;
}

/**
 * An edit of a changeling that the fleet file declares.
 * @throws when applied to an unknown name, with "did you mean"
 */
export function editOf(name: string, change: (text: string) => string): (text: string) => string {
  return (text) => {
    const names = declaredNames(text);
    if (names.has(name)) return change(text);
    const meant = didYouMean(name, names);
    const hint = meant !== undefined ? `; did you mean ${meant}?` : names.size > 0 ? `: ${[...names].join(", ")}` : "";
    throw new Error(`the fleet file declares no changeling "${name}"${hint}`);
  };
}

/** @throws with what to do instead if the name is a scheduled changeling's */
export function requireDeclaredWeb({ changelings }: Fleet, name: string, verb: WebOnly): DeclaredWeb {
  const declared = changelings.find((changeling) => changeling.name === name);
  if (declared?.kind === "web") return declared;
  throw cronInstead(name, verb);
}
