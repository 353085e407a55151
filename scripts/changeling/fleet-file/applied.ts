import { existsSync } from "node:fs";
import { installedNames } from "../../../components/cron/local/installed-files.ts";
import { type InstallationPaths, installationPaths } from "../../../components/host/installation-paths.ts";
import { secretsPath } from "../../../components/secrets/installed.ts";
import { type CommandState, exportedState, stateInFolder } from "../../../components/stack/state.ts";
import { identityOfStack, installationOf, pulumi, type Stack } from "../../stack/stack.ts";

/** A file that the stack's state lists but this machine lacks, or a job that the state does not list. */
export interface FileDifference {
  /** The changeling's name. */
  readonly name: string;
  readonly file: "job file" | "secrets file" | "unknown job";
}

/**
 * How the installed files on this machine differ from the stack's state.
 *
 * @param askBackend whether to query a backend that is not a local folder, which takes a second
 */
export async function fileDifferences(stack: Stack, askBackend: boolean): Promise<FileDifference[]> {
  const commands = stateInFolder(identityOfStack(stack))?.commands ?? (askBackend ? await exported(stack) : undefined);
  if (commands === undefined) return [];
  const installation = installationOf(stack);
  const paths = installationPaths(installation);
  return [...missingIn(paths, installation, commands), ...unknownIn(paths, installation, commands)];
}

/** @returns undefined if the stack can't be read, which other checks report */
async function exported(stack: Stack): Promise<readonly CommandState[] | undefined> {
  const { code, stdout } = await pulumi(stack, ["stack", "export"], { capture: true });
  return code === 0 && stdout.trim() !== "" ? exportedState(stdout).commands : undefined;
}

/** Jobs that fire here but are missing in the state, for instance because they were destroyed from another machine. */
export function unknownIn(
  paths: InstallationPaths,
  installation: string,
  commands: readonly CommandState[],
): FileDifference[] {
  const known = new Set(
    commands.flatMap(({ urn, environment }) =>
      environment["INSTALLATION"] === installation ? (/::([^:]*)-job$/.exec(urn)?.[1] ?? []) : [],
    ),
  );
  return installedNames(paths)
    .filter((name) => !known.has(name))
    .map((name) => ({ name, file: "unknown job" }));
}

export function missingIn(
  paths: InstallationPaths,
  installation: string,
  commands: readonly CommandState[],
): FileDifference[] {
  const jobs = new Set(installedNames(paths));
  return commands.flatMap(({ urn, environment }): FileDifference[] => {
    const { NAME: name, INSTALLATION: id } = environment;
    if (typeof name !== "string" || id !== installation) return [];
    if (urn.endsWith(`::${name}-job`) && !jobs.has(name)) return [{ name, file: "job file" }];
    if (urn.endsWith(`::${name}-secrets`) && !existsSync(secretsPath(paths, name))) {
      return [{ name, file: "secrets file" }];
    }
    return [];
  });
}

export function differenceInWords({ name, file }: FileDifference): string {
  switch (file) {
    case "job file":
      return `${name} does not fire: its job file is missing`;
    case "secrets file":
      return `${name} has no secrets: its secrets file is missing`;
    case "unknown job":
      return `${name} fires on this machine, and the stack's state does not have it: was it destroyed from another machine?`;
  }
}
