import type { AgentTypes } from "./agent-types.ts";
import { error, type Finding, type KeyPath, warning } from "./fault.ts";
import { shown } from "./literal-secrets.ts";
import { modalFindings } from "./modal-options.ts";
import type { Options } from "./options.ts";
import { isBranchName, urlFault } from "./repo.ts";
import { scheduleFault } from "./schedule.ts";
import { variableFindings } from "./secrets.ts";
import { didYouMean } from "./suggest.ts";
import { unfitOptions } from "./unfit-options.ts";
import { ianaZone, zoneRemedy } from "./zone.ts";

const ownAlone = "on Modal your own settings count, not the repository's";

/** Where an option is written: in the changeling's own table, or in `[defaults]`. */
export type PlaceOf = (...path: KeyPath) => KeyPath;

/** What can be said of one changeling's options without looking beyond them. */
export function optionFindings(options: Options, place: PlaceOf): Finding[] {
  const found: Finding[] = [];
  const schedule = scheduleFault(options.schedule, options.allow_frequent);
  if (schedule !== undefined) found.push(error(place("schedule"), schedule.message, schedule.remedy));
  if (options.timezone !== undefined) found.push(...zoneFindings(options.timezone, place("timezone")));
  if (!isBranchName(options.branch)) {
    found.push(
      error(place("branch"), `${shown(options.branch)} is no branch name`, 'write a name such as branch = "main"'),
    );
  }
  for (const [key, unfit] of unfitOptions(options)) found.push({ ...unfit, path: place(key) });
  if (options.provider === "modal") found.push(...modalFindings(options, place));
  const url = options.repo === undefined ? undefined : urlFault(options.repo);
  if (url !== undefined) found.push(error(place("repo"), url.message, url.remedy));
  found.push(...variableFindings(options, place));
  return found;
}

/** For agents that talk: one that settles too late never ends but by its timeout. */
export function settleFindings(options: Options, place: PlaceOf): Finding[] {
  const { settle_seconds: settle, timeout_seconds: timeout } = options;
  if (settle < timeout) return [];
  const message = `with ${settle} s to settle, no run ends before its timeout of ${timeout} s`;
  return [error(place("settle_seconds"), message, "write fewer settle_seconds, or more timeout_seconds")];
}

export function zoneFindings(zone: string, path: KeyPath): Finding[] {
  return ianaZone(zone) === undefined ? [error(path, `there is no time zone ${shown(zone)}`, zoneRemedy(zone))] : [];
}

/** Which agent types and templates there are for a changeling. */
export interface AgentKnowledge {
  readonly types: AgentTypes;
  readonly templates: ReadonlySet<string>;
  /** False where settings that can't be read here may define more. */
  readonly isComplete: boolean;
  /** Where a template that is missing can be defined. */
  readonly settingsFile: string;
  /** True where the repository's settings don't count. */
  readonly isOwnAlone: boolean;
}

/** What can be said of a changeling's agent, once it is known which types and templates there are. */
export function agentFindings(
  { type, options }: { readonly type: string; readonly options: Options },
  { types, templates, isComplete, settingsFile, isOwnAlone }: AgentKnowledge,
  place: PlaceOf,
): Finding[] {
  const report = isComplete ? error : warning;
  const found: Finding[] = [];
  const base = types.base(type);
  if (!types.has(type)) {
    const meant = didYouMean(type, types.names());
    const remedy =
      meant === undefined ? `known here: ${types.names().join(", ")}` : `did you mean agent_type = "${meant}"?`;
    const message = `mngr knows no agent type ${shown(type)}`;
    found.push(report(place("agent_type"), isOwnAlone ? `${message} (${ownAlone})` : message, remedy));
  } else if (base?.startsWith("headless_")) {
    const message = `${shown(type)} only runs in the foreground (mngr create --foreground), and a scheduled run has none`;
    found.push(error(place("agent_type"), message, `write agent_type = "${base.slice("headless_".length)}"`));
  } else if (type === "command" && options.agent_args.length === 0) {
    const remedy = 'write agent_args, for instance agent_args = ["make", "report"]';
    found.push(error(place("agent_type"), "a command agent needs its command", remedy));
  }
  if (base === "claude") found.push(...settleFindings(options, place));
  const { template } = options;
  if (template !== undefined && !templates.has(template)) {
    const meant = didYouMean(template, templates);
    const remedy =
      meant === undefined
        ? `define it below [create_templates] in ${settingsFile}, or remove the line`
        : `did you mean template = "${meant}"?`;
    const message = `mngr's settings have no create template ${shown(template)}`;
    found.push(report(place("template"), isOwnAlone ? `${message} (${ownAlone})` : message, remedy));
  }
  return found;
}
