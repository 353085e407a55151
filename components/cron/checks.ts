import {
  type AgentKnowledge,
  noCommand,
  repoSettingsIgnored,
  stockWebTypes,
  typeDiagnostics,
} from "../fleet/agents.ts";
import { unfitDiagnostics } from "../fleet/applies.ts";
import { branchDiagnostics } from "../fleet/checks.ts";
import { type Diagnostic, error, type KeyPathOf, warning } from "../fleet/diagnostics.ts";
import { variableDiagnostics } from "../fleet/secrets.ts";
import { sizeDiagnostics } from "../fleet/sizes.ts";
import { urlProblem } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { didYouMean } from "../lib/suggest.ts";
import { type CronOptions, cronApplies, cronNoun, cronTable } from "./options.ts";
import { providers } from "./providers.ts";
import { scheduleDoubt, scheduleProblem } from "./schedule.ts";
import { zoneDiagnostics } from "./zone.ts";

/** Diagnostics for one cron changeling's options that need no other input. */
export function cronDiagnostics(options: CronOptions, place: KeyPathOf): Diagnostic[] {
  const found: Diagnostic[] = [];
  const schedule = scheduleProblem(options.schedule, options.allow_frequent);
  if (schedule !== undefined) found.push(error(place("schedule"), schedule.message, schedule.remedy));
  const doubt = schedule === undefined ? scheduleDoubt(options.schedule) : undefined;
  if (doubt !== undefined) found.push(warning(place("schedule"), doubt.message, doubt.remedy));
  if (options.timezone !== undefined) found.push(...zoneDiagnostics(options.timezone, place("timezone")));
  found.push(...branchDiagnostics(options, place));
  found.push(...unfitDiagnostics({ applies: cronApplies, table: cronTable, noun: cronNoun }, options, place));
  const ofProvider = providers[options.provider].check(options, place);
  found.push(...ofProvider.map((each) => ({ ...each, reads: ["provider", "image"] })));
  const url = options.repo === undefined ? undefined : urlProblem(options.repo);
  if (url !== undefined) found.push(error(place("repo"), url.message, url.remedy));
  found.push(...variableDiagnostics(options, place), ...sizeDiagnostics(options, place));
  return found;
}

/** For conversational agents: with too long a `settle` time, a run could only end by its timeout. */
export function settleDiagnostics(options: CronOptions, place: KeyPathOf): Diagnostic[] {
  const { settle_seconds: settle, timeout_seconds: timeout } = options;
  if (settle < timeout) return [];
  const message = `with settle_seconds = ${settle}, no run ends before its timeout of ${timeout} s`;
  const remedy = "lower settle_seconds, or raise timeout_seconds";
  return [{ ...error(place("settle_seconds"), message, remedy), reads: ["timeout_seconds"] }];
}

/** Diagnostics for a cron changeling's agent, given the known types and templates. */
export function cronAgentDiagnostics(
  { type, options }: { readonly type: string; readonly options: CronOptions },
  knowledge: AgentKnowledge,
  place: KeyPathOf,
): Diagnostic[] {
  const { types, templates, isComplete, settingsFile, ignoresRepoSettings } = knowledge;
  const report = isComplete ? error : warning;
  const found: Diagnostic[] = [];
  if (!types.has(type) && stockWebTypes().has(type)) {
    found.push(error(place("agent_type"), `${shown(type)} is a stock web changeling`, 'write kind = "web"'));
  } else {
    found.push(...typeDiagnostics(type, knowledge, place, "a scheduled run"));
  }
  if (type === "command" && options.agent_args.length === 0) found.push(noCommand(place));
  if (types.base(type) === "claude") found.push(...settleDiagnostics(options, place));
  const { template } = options;
  if (template !== undefined && !templates.has(template)) {
    const meant = didYouMean(template, templates);
    const remedy =
      meant === undefined
        ? `define it below [create_templates] in ${settingsFile}, or remove the line`
        : `did you mean template = "${meant}"?`;
    const message = `mngr's settings have no create template ${shown(template)}`;
    found.push(
      report(place("template"), ignoresRepoSettings ? `${message} (${repoSettingsIgnored})` : message, remedy),
    );
  }
  return found;
}
