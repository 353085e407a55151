import { existsSync } from "node:fs";
import { type InstallationPaths, installationPaths } from "../../../components/host/installation-paths.ts";
import { kinds } from "../../../components/kinds.ts";
import { secretsPath } from "../../../components/secrets/installed.ts";
import type { DeployableKind } from "../../../components/stack/deployment.ts";
import type { FileDifference } from "../../../components/stack/inspection.ts";
import { type CommandState, exportedState, stateInFolder } from "../../../components/stack/state.ts";
import { identityOfStack, installationOf, pulumi, type Stack } from "../../stack/stack.ts";

const byName: Readonly<Record<string, Pick<DeployableKind, "inspection" | "known">>> = kinds;

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
  const used = Object.entries(byName).filter(
    ([name, kind]) =>
      kind.known(paths).length > 0 || commands.some(({ urn }) => urn.includes(`::changelings:${name}:`)),
  );
  const inspections = await Promise.all(used.map(([_, kind]) => kind.inspection()));
  return [
    ...inspections.flatMap((each) => each.differences?.({ paths, installation }, commands) ?? []),
    ...missingSecrets(paths, installation, commands),
  ];
}

/** @returns undefined if the stack can't be read, which other checks report */
async function exported(stack: Stack): Promise<readonly CommandState[] | undefined> {
  const { code, stdout } = await pulumi(stack, ["stack", "export"], { capture: true });
  return code === 0 && stdout.trim() !== "" ? exportedState(stdout).commands : undefined;
}

export function missingSecrets(
  paths: InstallationPaths,
  installation: string,
  commands: readonly CommandState[],
): FileDifference[] {
  return commands.flatMap(({ urn, environment }): FileDifference[] => {
    const { NAME: name, INSTALLATION: id } = environment;
    if (typeof name !== "string" || id !== installation || !urn.endsWith(`::${name}-secrets`)) return [];
    if (existsSync(secretsPath(paths, name))) return [];
    return [{ name, file: "secrets", words: `${name} has no secrets: its secrets file is missing` }];
  });
}
