import { branchFault, type Repository } from "./branches.ts";
import type { NamedRepo } from "./clones.ts";
import type { Declaration } from "./declare.ts";
import { error, type Finding, warning } from "./fault.ts";
import { isBranchName, urlFault } from "./repo.ts";

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
