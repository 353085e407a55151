import { branchFault, type Repository } from "../git/refs.ts";
import { isBranchName, urlFault } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { error, type Finding, type KeyPath, type PlaceOf, warning } from "./diagnostics.ts";
import type { Declaration } from "./kind.ts";
import type { SharedOptions } from "./options.ts";

export function branchFindings({ branch }: SharedOptions, place: PlaceOf): Finding[] {
  if (isBranchName(branch)) return [];
  return [
    error(place("branch"), `${shown(branch)} is not a valid branch name`, 'write a name such as branch = "main"'),
  ];
}

/**
 * Checks a changeling's repository, and its branch there. @param known the observed repository; undefined if it wasn't
 * asked
 */
export function repoFindings(
  { options, place }: Pick<Declaration, "options" | "place">,
  named: NamedRepo,
  known: Repository | undefined,
): Finding[] {
  if (known === undefined) {
    // A URL in the file has already been checked with the other options.
    const fault = named.source === "" ? undefined : urlFault(named.repo);
    return fault === undefined ? [] : [error(named.path, named.source + fault.message, fault.remedy)];
  }
  if ("message" in known) {
    return [(known.isCertain ? error : warning)(named.path, named.source + known.message, known.remedy)];
  }
  const fault = isBranchName(options.branch) ? branchFault(options.branch, known.branches) : undefined;
  return fault === undefined ? [] : [error(place("branch"), fault.message, fault.remedy)];
}

/** Where a changeling's repository is declared, for diagnostics about it. */
export interface NamedRepo {
  readonly repo: string;
  readonly path: KeyPath;
  /** The prefix of the message, if the repository isn't declared in the file. */
  readonly source: string;
}
