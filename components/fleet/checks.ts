import { branchProblem, type Repository } from "../git/refs.ts";
import { isBranchName, urlProblem } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { type Diagnostic, error, type KeyPath, type KeyPathOf, warning } from "./diagnostics.ts";
import type { Declaration } from "./kind.ts";
import type { SharedOptions } from "./options.ts";

export function branchDiagnostics({ branch }: SharedOptions, place: KeyPathOf): Diagnostic[] {
  if (isBranchName(branch)) return [];
  return [
    error(place("branch"), `${shown(branch)} is not a valid branch name`, 'write a name such as branch = "main"'),
  ];
}

/**
 * Checks a changeling's repository, and its branch there.
 *
 * @param known the observed repository; undefined if it wasn't queried
 */
export function repoDiagnostics(
  { options, place }: Pick<Declaration, "options" | "place">,
  named: NamedRepo,
  known: Repository | undefined,
): Diagnostic[] {
  if (known === undefined) {
    // A URL in the file has already been checked with the other options.
    const problem = named.source === "" ? undefined : urlProblem(named.repo);
    return problem === undefined ? [] : [error(named.path, named.source + problem.message, problem.remedy)];
  }
  if ("message" in known) {
    return [(known.isCertain ? error : warning)(named.path, named.source + known.message, known.remedy)];
  }
  const problem = isBranchName(options.branch) ? branchProblem(options.branch, known.branches) : undefined;
  return problem === undefined ? [] : [error(place("branch"), problem.message, problem.remedy)];
}

/** Where a changeling's repository is declared, for diagnostics about it. */
export interface NamedRepo {
  readonly repo: string;
  readonly path: KeyPath;
  /** The prefix of the message, if the repository isn't declared in the file. */
  readonly source: string;
}
