import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import * as z from "zod/mini";
import { changelingCommand, upCommand } from "../lib/own-commands.ts";
import { isMissing, readJsonOrNull, writePrivateFile } from "./files.ts";
import type { Installed } from "./installation.ts";
import { type InstallationPaths, installationPaths } from "./installation-paths.ts";
import { isSameStack, type StackIdentity } from "./stack-identity.ts";

/** Which stack an installation on this machine belongs to. `pulumi up` writes it before it changes anything else. */
const claimFile = z.object({
  version: z.literal(1),
  backend: z.string(),
  organization: z.optional(z.string()),
  project: z.string(),
  stack: z.string(),
  /** When the stack was last applied, ISO 8601. */
  appliedAt: z.string(),
  /** A random id of this machine, created with the first claim. */
  machine: z.optional(z.string()),
  /** True until the next update: the user confirmed that this machine takes over from the previous one. */
  isAdopted: z.optional(z.boolean()),
});

export type Claim = z.infer<typeof claimFile> & StackIdentity;

export const claimFileName = "stack.json";

function claimPath({ root }: Pick<InstallationPaths, "root">): string {
  return join(root, claimFileName);
}

/** @returns undefined if there is none @throws if the file is invalid */
export function readClaim(paths: Pick<InstallationPaths, "root">): Claim | undefined {
  const path = claimPath(paths);
  const parsed = z.optional(claimFile).safeParse(readJsonOrNull(path));
  if (!parsed.success)
    throw new Error(`${path} does not say which stack it belongs to; remove it, then: ${upCommand()}`);
  return parsed.data && { ...parsed.data, organization: parsed.data.organization };
}

export function writeClaim(
  paths: Pick<InstallationPaths, "root">,
  identity: StackIdentity,
  { now = new Date(), isAdopted }: { readonly now?: Date; readonly isAdopted?: boolean } = {},
): void {
  const { backend, organization, project, stack } = identity;
  const before = readClaim(paths);
  // Keep what is already recorded if this command doesn't know it.
  const known =
    organization ?? (before !== undefined && isSameStack(before, identity) ? before.organization : undefined);
  const appliedAt = now.toISOString();
  const machine = before?.machine ?? randomUUID();
  const whose = { backend, organization: known, project, stack };
  const claim: z.infer<typeof claimFile> = { version: 1, ...whose, appliedAt, machine, isAdopted };
  writePrivateFile(claimPath(paths), `${JSON.stringify(claim, null, 2)}\n`);
}

function removeClaim(paths: Pick<InstallationPaths, "root">): void {
  rmSync(claimPath(paths), { force: true });
}

/** The installations on this machine, ordered by id. */
export function installations(home: string = homedir()): (Installed & { readonly claim: Claim | undefined })[] {
  const folder = dirname(installationPaths("any", home).root);
  return foldersIn(folder).map((id) => ({ id, claim: readClaim(installationPaths(id, home)) }));
}

function foldersIn(folder: string): string[] {
  try {
    const found = readdirSync(folder, { withFileTypes: true });
    return found.flatMap((each) => (each.isDirectory() && /^[0-9a-f]{12}$/.test(each.name) ? [each.name] : [])).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * For commands that remove parts of an installation from this machine. `pulumi destroy` may run on another machine,
 * where it finds nothing to remove, while everything keeps running on the original one.
 *
 * @throws if this machine has no files of the installation
 */
export function requireInstallationHere({ root }: Pick<InstallationPaths, "root">): void {
  if (existsSync(root)) return;
  const adopt = `${changelingCommand()} adopt`;
  throw new Error(
    `this machine has no files of the stack's installation ${basename(root)}; its programs may run on another machine, and would keep running there\nrun this command on that machine; if that machine is gone for good, run: ${adopt}, then this command again`,
  );
}

/**
 * Removes the empty folders and the claim of an installation once its last part is removed. A daemon's own folders are
 * kept until the daemon is removed: it may still be running and watching them.
 */
export function removeEmptyFolders(paths: InstallationPaths): void {
  const { root, secrets, web, records, runs, sandboxes, seedAgents } = paths;
  const inSandboxes = ["specs", "sessions"].map((name) => join(sandboxes, name));
  const inSeedAgents = ["specs", "nodes", "data"].map((name) => join(seedAgents, name));
  for (const folder of [secrets, web, records, runs, ...inSandboxes, sandboxes, ...inSeedAgents, seedAgents])
    removeIfEmpty(folder);
  if (holdsClaimAlone(root)) removeClaim({ root });
  removeIfEmpty(root);
}

function holdsClaimAlone(root: string): boolean {
  try {
    return readdirSync(root).every((name) => name === claimFileName);
  } catch {
    return false;
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Not empty, or already gone.
  }
}
