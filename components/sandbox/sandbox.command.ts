/** The `<name>-sandbox` Command: installs or removes everything from which a changeling's sandboxes are created. */
import { homedir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { commandScript } from "../command-script.ts";
import { isDockerVariable } from "../docker/run-docker.ts";
import { removeEmptyFolders, requireInstallationHere } from "../host/claims.ts";
import { type InstallationPaths, installationPaths } from "../host/installation-paths.ts";
import { removeFile } from "../host/installed-file.ts";
import { printNote } from "../lib/terminal.ts";
import { isModalVariable } from "../modal/environment.ts";
import { keepModalToken } from "../modal/kept-token.ts";
import { readSecrets } from "../secrets/installed.ts";
import { type InstalledSandbox, readSandbox, specPath, writeSandbox } from "./installed.ts";
import { sandboxManager } from "./manager.ts";
import { SandboxError, type SandboxProvider } from "./provider.ts";
import { openProvider } from "./providers.ts";
import { sandboxEnvironment, specOfSandbox } from "./sandbox-environment.ts";
import { openSessions, SessionError } from "./sessions/client.ts";
import { sessionsFolder } from "./sessions/folder.ts";
import { memoryVolume, type SandboxSpec } from "./spec.ts";

export default commandScript({
  variables: sandboxEnvironment.schema,
  keeps: (name) => isModalVariable(name) || isDockerVariable(name),
  // The base image is built once: browsers and compilers are large.
  timeoutSeconds: 2 * 3600,
  async apply(values) {
    const { installation, renamedFrom, enabled } = values;
    const paths = installationPaths(installation);
    const spec = specOfSandbox(values, { project: process.cwd(), home: homedir() });
    const onProgress = (line: string) => printNote(`${spec.name}: ${line}\n`);
    if (spec.provider === "modal") keepModalToken(paths.sandboxes, process.env);
    const context = { installation, sandboxes: paths.sandboxes };
    const provider = await openProvider(spec.provider, context);
    const image = await preparedImage(provider, spec, onProgress);
    const volume = memoryVolume(spec);
    if (await provider.ensureVolume(volume)) onProgress(`made the memory volume ${volume}`);
    const before = lastInstalled(() => readSandbox(paths, renamedFrom ?? spec.name) ?? readSandbox(paths, spec.name));
    const snapshot =
      image === undefined
        ? undefined
        : await renewedSnapshot(spec, { before, image, provider, installation, onProgress });
    writeSandbox(paths, { spec, enabled, image: image ?? "", snapshot });
    if (renamedFrom !== undefined) removeFile(specPath(paths, renamedFrom));
    return { installed: spec.name, image: image ?? "", memory: volume };
  },
  async remove({ name, installation, provider: providerName }) {
    const paths = installationPaths(installation);
    requireInstallationHere(paths);
    const installed = lastInstalled(() => readSandbox(paths, name));
    if (installed !== undefined) {
      const provider = await openProvider(providerName, { installation, sandboxes: paths.sandboxes });
      await endSessions(paths, name);
      for (const { id } of await provider.list({ installation, changeling: name }))
        await (await provider.open(id))?.terminate();
      if (installed.snapshot !== undefined) await provider.removeSnapshot(installed.snapshot.id);
      printNote(`its repository's memory is kept in the volume ${memoryVolume(installed.spec)}\n`);
    }
    removeFile(specPath(paths, name));
    removeEmptyFolders(paths);
    return { removed: name };
  },
});

/** How long ending a session's sandbox may take, in milliseconds. */
const endMs = 60_000;

/**
 * Ends its sessions, and removes the snapshots of those that sleep. If the session service is not running, it ends them
 * after its next start, when it finds that their sandboxes are gone.
 */
async function endSessions(paths: InstallationPaths, name: string): Promise<void> {
  const client = openSessions({ folder: sessionsFolder(paths), person: "the service" });
  try {
    const open = (await client.list({ changeling: name })).filter(({ status }) => status !== "terminated");
    for (const { id } of open) await client.stop(id, `${name} was removed from the fleet`);
    const end = Date.now() + endMs;
    for (const { id } of open) while (!(await client.show(id)).isCleaned && Date.now() < end) await sleep(200);
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    printNote(`${name}: its sessions could not be ended: ${error.message}\n`);
  }
}

/**
 * On a machine that can't isolate programs, the rest of the fleet is still deployed. Starting a session fails there with
 * the same reason, and so does doctor's check.
 *
 * @returns undefined if this machine can't isolate programs
 */
async function preparedImage(
  provider: SandboxProvider,
  spec: SandboxSpec,
  onProgress: (line: string) => void,
): Promise<string | undefined> {
  try {
    return await provider.prepareImage({ spec, onProgress });
  } catch (error) {
    if (spec.provider !== "local" || !(error instanceof SandboxError)) throw error;
    onProgress(`warning: no session can be started on this machine: ${error.message}`);
    return undefined;
  }
}

interface Renewal {
  readonly before: InstalledSandbox | undefined;
  readonly image: string;
  readonly provider: SandboxProvider;
  readonly installation: string;
  readonly onProgress: (line: string) => void;
}

/** Makes a new warm snapshot if there is none of this repository, branch and image, or only one that is too old. */
async function renewedSnapshot(spec: SandboxSpec, renewal: Renewal): Promise<InstalledSandbox["snapshot"]> {
  const { before, image, provider, installation, onProgress } = renewal;
  const former = before?.spec.provider === spec.provider ? before.snapshot : undefined;
  const age = spec.snapshotMaxAgeSeconds;
  const isOfSame = before?.image === image && before.spec.url === spec.url && before.spec.branch === spec.branch;
  if (age !== undefined && former !== undefined && isOfSame && ageOf(former) < age) return former;
  const secrets = readSecrets(installationPaths(installation), spec.name);
  const manager = sandboxManager({ installation, provider: async () => provider });
  const made = age === undefined ? undefined : await manager.warm(spec, { secrets, onProgress });
  if (former !== undefined) await provider.removeSnapshot(former.id);
  return made === undefined ? undefined : { ...made, madeAt: new Date().toISOString() };
}

/** In seconds. */
function ageOf({ madeAt }: { readonly madeAt: string }): number {
  return (Date.now() - Date.parse(madeAt)) / 1000;
}

/** A file that was edited by hand is replaced. */
function lastInstalled(read: () => InstalledSandbox | undefined): InstalledSandbox | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
