import { existsSync } from "node:fs";
import { installedNames } from "../../../components/cron/local/installed-files.ts";
import { type InstallationPaths, installationPaths } from "../../../components/host/installation-paths.ts";
import { secretsPath } from "../../../components/secrets/installed.ts";
import { type CommandState, exportedState, stateInFolder } from "../../../components/stack/state.ts";
import { identityOfStack, installationOf, pulumi, type Stack } from "../../stack/stack.ts";

/** Something that the last `pulumi up` installed on this machine, and that is gone. */
export interface MissingFile {
  /** The changeling's. */
  readonly name: string;
  readonly file: "job file" | "secrets file";
}

/**
 * The files that a stack's state says were installed here, and that are not here any more.
 *
 * @param askBackend whether a backend that is no folder of this machine is asked, which takes a second
 */
export async function missingFiles(stack: Stack, askBackend: boolean): Promise<MissingFile[]> {
  const commands = stateInFolder(identityOfStack(stack))?.commands ?? (askBackend ? await exported(stack) : []);
  const installation = installationOf(stack);
  return missingIn(installationPaths(installation), installation, commands);
}

async function exported(stack: Stack): Promise<readonly CommandState[]> {
  const { code, stdout } = await pulumi(stack, ["stack", "export"], { capture: true });
  // Why the stack can't be read, other checks say.
  return code === 0 && stdout.trim() !== "" ? exportedState(stdout).commands : [];
}

export function missingIn(
  paths: InstallationPaths,
  installation: string,
  commands: readonly CommandState[],
): MissingFile[] {
  const jobs = new Set(installedNames(paths));
  return commands.flatMap(({ urn, environment }): MissingFile[] => {
    const { NAME: name, INSTALLATION: id } = environment;
    if (typeof name !== "string" || id !== installation) return [];
    if (urn.endsWith(`::${name}-job`) && !jobs.has(name)) return [{ name, file: "job file" }];
    if (urn.endsWith(`::${name}-secrets`) && !existsSync(secretsPath(paths, name))) {
      return [{ name, file: "secrets file" }];
    }
    return [];
  });
}

export function missingInWords({ name, file }: MissingFile): string {
  return file === "job file"
    ? `${name} does not fire: its job file is missing`
    : `${name} has no secrets: its secrets file is missing`;
}
