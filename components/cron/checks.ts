import { type AgentKnowledge, noCommand, ownAlone, stockWebTypes, typeFindings } from "../fleet/agents.ts";
import { noBuild } from "../fleet/build-args.ts";
import { branchFindings } from "../fleet/checks.ts";
import { error, type Finding, type PlaceOf, warning } from "../fleet/diagnostics.ts";
import type { Unfit, UnfitOptions } from "../fleet/kind.ts";
import { variableFindings } from "../fleet/secrets.ts";
import { sizeFindings } from "../fleet/sizes.ts";
import { urlFault } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { didYouMean } from "../lib/suggest.ts";
import { modalCronFindings } from "./modal/checks.ts";
import { type CronOptions, cronTable } from "./options.ts";
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
  for (const [key, unfit] of unfitCronOptions(options))
    found.push({ ...unfit, path: place(key), reads: ["provider", "image"] });
  if (options.provider === "modal") {
    found.push(...modalCronFindings(options, place).map((each) => ({ ...each, reads: ["provider", "image"] })));
  }
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

const preset = cronTable.parse({});

const ofModal = ["image", "history_depth", "allow_unpushed", "snapshot_max_age", "verify"] as const;

const ofPinned = ["history_depth", "allow_unpushed"] as const;

/** Options that are set but have no effect for this provider and image. */
export function unfitCronOptions(options: CronOptions): UnfitOptions {
  const unfit = new Map<string, Unfit>();
  const refuse = <Key extends keyof CronOptions>(keys: readonly Key[], why: (key: Key) => Unfit) => {
    for (const key of keys) {
      if (isSet(options[key], preset[key])) unfit.set(key, why(key));
    }
  };
  if (options.provider === "local") {
    refuse(ofModal, (key) => needs(key, 'provider = "modal"'));
    refuse(["build_args"], () => noBuild);
    return unfit;
  }
  if (options.image !== "pinned") refuse(ofPinned, (key) => needs(key, 'image = "pinned"'));
  if (options.image !== "snapshot") refuse(["snapshot_max_age"], (key) => needs(key, 'image = "snapshot"'));
  refuse(["catch_up"], () => neverSleeps);
  refuse(["catch_up_within"], () => ({
    ...neverSleeps,
    message: 'catch_up_within has no effect for the provider "modal", whose schedules never sleep',
  }));
  refuse(["fetch"], () => alwaysClones);
  return unfit;
}

const neverSleeps: Unfit = {
  message: 'catch_up has no effect for the provider "modal", whose schedules never sleep',
  remedy: "remove the line",
  severity: "warning",
};

const alwaysClones: Unfit = {
  message: 'fetch has no effect for the provider "modal", whose agents always clone',
  remedy: "remove the line",
  severity: "warning",
};

function needs(key: string, setting: string): Unfit {
  return {
    message: `${key} is only for ${setting}`,
    remedy: `remove the line, or write ${setting}`,
    severity: "error",
  };
}

function isSet(value: unknown, preset: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== preset;
}
