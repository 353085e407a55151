import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import * as z from "zod/mini";
import { changelingCommand } from "../lib/own-commands.ts";
import { isMissing, readJson, writePrivateFile } from "./files.ts";
import type { Installed } from "./installation.ts";
import { type InstallationPaths, installationPaths } from "./installation-paths.ts";
import { isSameStack, type StackIdentity } from "./stack-identity.ts";

/** Which stack an installation on this machine belongs to. Written by `pulumi up`, before it touches anything. */
const claimFile = z.object({
  version: z.literal(1),
  backend: z.string(),
  organization: z.optional(z.string()),
  project: z.string(),
  stack: z.string(),
  /** When it was last applied, ISO 8601. */
  appliedAt: z.string(),
  /** Of this machine: random, made with the first claim. */
  machine: z.optional(z.string()),
  /** True until the next update: a person said that this machine takes over from the one that had it. */
  isAdopted: z.optional(z.boolean()),
});

export type Claim = z.infer<typeof claimFile> & StackIdentity;

export const claimFileName = "stack.json";

function claimPath({ root }: Pick<InstallationPaths, "root">): string {
  return join(root, claimFileName);
}

/** @returns undefined when there is none @throws when the file is not one */
export function readClaim(paths: Pick<InstallationPaths, "root">): Claim | undefined {
  const path = claimPath(paths);
  const parsed = z.optional(claimFile).safeParse(jsonOrNull(path));
  if (!parsed.success) throw new Error(`${path} does not say which stack it belongs to; remove it, then: pulumi up`);
  return parsed.data && { ...parsed.data, organization: parsed.data.organization };
}

function jsonOrNull(path: string): unknown {
  try {
    return readJson(path);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export function writeClaim(
  paths: Pick<InstallationPaths, "root">,
  identity: StackIdentity,
  { now = new Date(), isAdopted }: { readonly now?: Date; readonly isAdopted?: boolean } = {},
): void {
  const { backend, organization, project, stack } = identity;
  const before = readClaim(paths);
  // What a command did not know stays known.
  const known =
    organization ?? (before !== undefined && isSameStack(before, identity) ? before.organization : undefined);
  const appliedAt = now.toISOString();
  const machine = before?.machine ?? randomUUID();
  const whose = { backend, organization: known, project, stack };
  const claim: z.infer<typeof claimFile> = { version: 1, ...whose, appliedAt, machine, isAdopted };
  writePrivateFile(claimPath(paths), `${JSON.stringify(claim, null, 2)}\n`);
}

export function removeClaim(paths: Pick<InstallationPaths, "root">): void {
  rmSync(claimPath(paths), { force: true });
}

/** The installations on this machine, in the order of their ids. */
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
 * For what removes something of an installation from this machine: `pulumi destroy` may run on another one, which finds
 * nothing to remove, while all of it goes on where it is.
 *
 * @throws when this machine has nothing of it
 */
export function requireInstallationHere({ root }: Pick<InstallationPaths, "root">): void {
  if (existsSync(root)) return;
  const adopt = `${changelingCommand()} adopt`;
  throw new Error(
    `this machine has nothing of the stack's installation ${basename(root)}: what it runs may be on another machine, and would go on there\nrun this on that machine; if it is gone for good, say so with: ${adopt}, and run this again`,
  );
}

/**
 * Removes what is left of an installation when the last of it went: folders that hold nothing, and the claim. Those of a
 * daemon go with it alone: one that still runs, which is removed at the same time, watches its own.
 */
export function removeEmptyFolders({ root, secrets, web, records, runs }: InstallationPaths): void {
  for (const folder of [secrets, web, records, runs]) removeIfEmpty(folder);
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
    // It holds something, or is not there.
  }
}
