import { scheduleDoubt, scheduleFault } from "../cron/schedule.ts";
import { ianaZone, zoneRemedy } from "../cron/zone.ts";
import { isBranchName, urlFault } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { error, type Finding, type KeyPath, warning } from "./diagnostics.ts";
import { modalCronFindings } from "./modal-options.ts";
import type { CronOptions, SharedOptions } from "./options.ts";
import { variableFindings } from "./secrets.ts";
import { sizeFindings } from "./sizes.ts";
import { unfitCronOptions } from "./unfit-options.ts";

/** Where an option is written: in the changeling's own table, or in `[defaults]`. */
export type PlaceOf = (...path: KeyPath) => KeyPath;

/** What can be said of one cron changeling's options without looking beyond them. */
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

export function branchFindings({ branch }: SharedOptions, place: PlaceOf): Finding[] {
  if (isBranchName(branch)) return [];
  return [error(place("branch"), `${shown(branch)} is no branch name`, 'write a name such as branch = "main"')];
}

/** For agents that talk: one that settles too late never ends but by its timeout. */
export function settleFindings(options: CronOptions, place: PlaceOf): Finding[] {
  const { settle_seconds: settle, timeout_seconds: timeout } = options;
  if (settle < timeout) return [];
  const message = `with ${settle} s to settle, no run ends before its timeout of ${timeout} s`;
  const remedy = "write fewer settle_seconds, or more timeout_seconds";
  return [{ ...error(place("settle_seconds"), message, remedy), reads: ["timeout_seconds"] }];
}

export function zoneFindings(zone: string, path: KeyPath): Finding[] {
  return ianaZone(zone) === undefined ? [error(path, `there is no time zone ${shown(zone)}`, zoneRemedy(zone))] : [];
}
