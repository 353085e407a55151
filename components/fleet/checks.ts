import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { NamedRepo } from "../cron/modal/clones.ts";
import { scheduleDoubt, scheduleFault } from "../cron/schedule.ts";
import { ianaZone, zoneRemedy } from "../cron/zone.ts";
import { branchFault, type Repository, type UsableRepository } from "../git/refs.ts";
import { isBranchName, isRepoUrl, shownRepo, urlFault } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { quoted } from "../lib/shell-command.ts";
import type { Declaration } from "./declare.ts";
import { error, type Finding, type KeyPath, type PlaceOf, warning } from "./diagnostics.ts";
import { modalCronFindings } from "./modal-options.ts";
import type { CronOptions, SharedOptions } from "./options.ts";
import { variableFindings } from "./secrets.ts";
import { sizeFindings } from "./sizes.ts";
import { unfitCronOptions } from "./unfit-options.ts";

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
  return [
    error(place("branch"), `${shown(branch)} is not a valid branch name`, 'write a name such as branch = "main"'),
  ];
}

/** For agents that talk: one that settles too late never ends but by its timeout. */
export function settleFindings(options: CronOptions, place: PlaceOf): Finding[] {
  const { settle_seconds: settle, timeout_seconds: timeout } = options;
  if (settle < timeout) return [];
  const message = `with ${settle} s to settle, no run ends before its timeout of ${timeout} s`;
  const remedy = "lower settle_seconds, or raise timeout_seconds";
  return [{ ...error(place("settle_seconds"), message, remedy), reads: ["timeout_seconds"] }];
}

export function zoneFindings(zone: string, path: KeyPath): Finding[] {
  return ianaZone(zone) === undefined ? [error(path, `there is no time zone ${shown(zone)}`, zoneRemedy(zone))] : [];
}

/** What is wrong with a changeling's repository, or with its branch there. @param known what was seen of it; undefined: it wasn't asked */
export function repoFindings(
  { options, place }: Pick<Declaration, "options" | "place">,
  named: NamedRepo,
  known: Repository | undefined,
): Finding[] {
  if (known === undefined) {
    // A URL in the file was looked at with the other options.
    const fault = named.source === "" ? undefined : urlFault(named.repo);
    return fault === undefined ? [] : [error(named.path, named.source + fault.message, fault.remedy)];
  }
  if ("message" in known) {
    return [(known.isCertain ? error : warning)(named.path, named.source + known.message, known.remedy)];
  }
  const fault = isBranchName(options.branch) ? branchFault(options.branch, known.branches) : undefined;
  return fault === undefined ? [] : [error(place("branch"), fault.message, fault.remedy)];
}

interface Around {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

/** What would fail, or mislead, every run of a cron changeling in a repository that can be read. */
export function runFindings(
  { options, place }: Pick<Declaration, "options" | "place">,
  named: NamedRepo,
  known: UsableRepository,
  around: Around,
): Finding[] {
  const { repo, path, source } = named;
  const isUrl = isRepoUrl(repo);
  const isOnModal = options.provider === "modal";
  const found: Finding[] = [];
  for (const ref of known.inTheWay) {
    const isHere = !isUrl && ref.startsWith("refs/heads/");
    // Here it is the branches of runs that can't be made; on a remote, only pushing them fails.
    if (isHere === isOnModal && !isUrl) continue;
    const where = isHere ? repo : isUrl ? shownRepo(repo) : ref.slice("refs/remotes/".length, -"/changelings".length);
    const message = `the branch "changelings" of ${where} keeps git from having branches changelings/… there, which runs work on`;
    const remedy = isHere
      ? `rename it: git -C ${quoted(repo)} branch -m changelings <another name>`
      : "rename it there, and delete the old one";
    found.push((isHere || isOnModal ? error : warning)(path, source + message, remedy));
  }
  if (isUrl) return found;
  if (known.isBare && !isOnModal) {
    const message = `${repo} is a bare repository, and agents need a checkout`;
    found.push(
      error(
        path,
        source + message,
        `git clone ${quoted(repo)} <folder> and name that, or write repo = "file://${repo}"`,
      ),
    );
  }
  if (known.tags.has(options.branch) && known.branches.has(options.branch)) {
    const message = `a tag of ${repo} is named "${options.branch}" too, and git takes that when an agent names the branch`;
    found.push(
      warning(
        place("branch"),
        message,
        `rename the tag, or delete it: git -C ${quoted(repo)} tag -d ${quoted(options.branch)}`,
      ),
    );
  }
  if (repo === around.home) {
    const message = "the repository is the whole home folder";
    // What happens to be around the fleet file was not chosen.
    const remedy = 'write repo = "<path or URL>"';
    found.push(
      (path.length === 0 ? error : warning)(path.length === 0 ? place("repo") : path, source + message, remedy),
    );
  }
  if (existsSync(join(repo, ".gitmodules"))) {
    const message = "its submodules are empty folders for the agents: git creates work trees and clones without them";
    found.push(
      warning(path, source + message, "if they need them, say so in initial_message: git submodule update --init"),
    );
  }
  if (!isOnModal && usesLfs(repo) && !isOnPath("git-lfs", around.environment)) {
    const message = "its files are kept with Git LFS, and git-lfs is not installed: agents can't check them out";
    found.push(warning(path, source + message, "apt-get install git-lfs, or brew install git-lfs"));
  }
  return found;
}

/** As far as the file at the top of the checkout says. */
function usesLfs(repo: string): boolean {
  try {
    return /^[^#\n].*\bfilter=lfs\b/m.test(readFileSync(join(repo, ".gitattributes"), "utf8"));
  } catch {
    return false;
  }
}

function isOnPath(program: string, { PATH = "" }: Around["environment"]): boolean {
  return PATH.split(delimiter).some((folder) => folder !== "" && existsSync(join(folder, program)));
}
