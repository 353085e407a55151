import { type AgentKnowledge, noCommand, ownAlone, stockWebTypes, typeFindings } from "../fleet/agents.ts";
import { unfitFindings } from "../fleet/applies.ts";
import { branchFindings } from "../fleet/checks.ts";
import { error, type Finding, type PlaceOf, warning } from "../fleet/diagnostics.ts";
import { variableFindings } from "../fleet/secrets.ts";
import { sizeFindings } from "../fleet/sizes.ts";
import { urlFault } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { didYouMean } from "../lib/suggest.ts";
import { type CronOptions, cronApplies, cronNoun, cronTable } from "./options.ts";
import { providers } from "./providers.ts";
import { scheduleDoubt, scheduleFault } from "./schedule.ts";
import { zoneFindings } from "./zone.ts";

/** Diagnostics for one cron changeling's options that need no other input. */
export function cronFindings(options: CronOptions, place: PlaceOf): Finding[] {
  const found: Finding[] = [];
  const schedule = scheduleFault(options.schedule, options.allow_frequent);
  if (schedule !== undefined) found.push(error(place("schedule"), schedule.message, schedule.remedy));
  const doubt = schedule === undefined ? scheduleDoubt(options.schedule) : undefined;
  if (doubt !== undefined) found.push(warning(place("schedule"), doubt.message, doubt.remedy));
  if (options.timezone !== undefined) found.push(...zoneFindings(options.timezone, place("timezone")));
  found.push(...branchFindings(options, place));
  found.push(...unfitFindings({ applies: cronApplies, table: cronTable, noun: cronNoun }, options, place));
  const ofProvider = providers[options.provider].check(options, place);
  found.push(...ofProvider.map((each) => ({ ...each, reads: ["provider", "image"] })));
  const url = options.repo === undefined ? undefined : urlFault(options.repo);
  if (url !== undefined) found.push(error(place("repo"), url.message, url.remedy));
  found.push(...variableFindings(options, place), ...sizeFindings(options, place));
  return found;
}

/** For conversational agents: with too long a `settle` time, a run could only end by its timeout. */
export function settleFindings(options: CronOptions, place: PlaceOf): Finding[] {
  const { settle_seconds: settle, timeout_seconds: timeout } = options;
  if (settle < timeout) return [];
  const message = `with ${settle} s to settle, no run ends before its timeout of ${timeout} s`;
  const remedy = "lower settle_seconds, or raise timeout_seconds";
  return [{ ...error(place("settle_seconds"), message, remedy), reads: ["timeout_seconds"] }];
}

/** Diagnostics for a cron changeling's agent, given the known types and templates. */
export function cronAgentFindings(
  { type, options }: { readonly type: string; readonly options: CronOptions },
  knowledge: AgentKnowledge,
  place: PlaceOf,
): Finding[] {
  const { types, templates, isComplete, settingsFile, isOwnAlone } = knowledge;
  const report = isComplete ? error : warning;
  const found: Finding[] = [];
  if (!types.has(type) && stockWebTypes().has(type)) {
    found.push(error(place("agent_type"), `${shown(type)} is a stock web changeling`, 'write kind = "web"'));
  } else {
    found.push(...typeFindings(type, knowledge, place, "a scheduled run"));
  }
  if (type === "command" && options.agent_args.length === 0) found.push(noCommand(place));
  if (types.base(type) === "claude") found.push(...settleFindings(options, place));
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
