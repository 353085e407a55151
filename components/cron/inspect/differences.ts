import type { FileDifference, InspectedStack } from "../../stack/inspection.ts";
import type { CommandState } from "../../stack/state.ts";
import { installedNames } from "../local/installed-files.ts";

/** Missing job files, and jobs that fire here although the state does not contain them. */
export function jobDifferences(
  { paths, installation }: Pick<InspectedStack, "installation" | "paths">,
  state: readonly CommandState[],
): FileDifference[] {
  const stated = state.flatMap(({ urn, environment }) =>
    environment["INSTALLATION"] === installation ? (/::([^:]*)-job$/.exec(urn)?.[1] ?? []) : [],
  );
  const installed = installedNames(paths);
  const missing = stated.filter((name) => !installed.includes(name));
  const unknown = installed.filter((name) => !stated.includes(name));
  return [
    ...missing.map((name) => ({ name, file: "job", words: `${name} does not fire: its job file is missing` })),
    // For instance because they were destroyed from another machine.
    ...unknown.map((name) => ({
      name,
      file: "job",
      words: `${name} fires on this machine, but the stack's state does not contain it: was it destroyed from another machine?`,
      isUnknown: true,
    })),
  ];
}
