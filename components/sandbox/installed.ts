import { join } from "node:path";
import * as z from "zod/mini";
import type { InstallationPaths } from "../host/installation-paths.ts";
import { installedDrift, installedIn, readInstalled, writeInstalled } from "../host/installed-file.ts";
import { digestOfJson } from "../lib/json.ts";
import { type SandboxSpec, sandboxSpec } from "./spec.ts";

/** The file that `up` installs for a sandbox changeling. The session service reads it when a session starts. */
const installedSandbox = z.object({
  spec: sandboxSpec,
  /** Of the spec. A file that was edited by hand is rejected. */
  digest: z.string(),
  enabled: z.boolean(),
  /** The provider's base image. */
  image: z.string(),
  /** The warm snapshot, with the repository cloned. */
  snapshot: z.optional(z.object({ id: z.string(), madeAt: z.string(), refs: z.optional(z.string()) })),
});
export type InstalledSandbox = z.output<typeof installedSandbox>;

export function specPath({ sandboxes }: Pick<InstallationPaths, "sandboxes">, name: string): string {
  return join(sandboxes, "specs", `${name}.json`);
}

export function digestOfSpec(spec: SandboxSpec): string {
  return digestOfJson(spec);
}

/** @returns undefined if it was edited by hand */
function intact(content: unknown): InstalledSandbox | undefined {
  const { data } = installedSandbox.safeParse(content);
  return data !== undefined && data.digest === digestOfSpec(data.spec) ? data : undefined;
}

export function writeSandbox(paths: InstallationPaths, installed: Omit<InstalledSandbox, "digest">): void {
  const content: InstalledSandbox = { ...installed, digest: digestOfSpec(installed.spec) };
  writeInstalled(specPath(paths, installed.spec.name), content);
}

/** The names of the installed sandbox changelings, sorted. */
export function installedSandboxes({ sandboxes }: Pick<InstallationPaths, "sandboxes">): string[] {
  return installedIn(join(sandboxes, "specs"));
}

/**
 * @returns undefined if there is none
 * @throws if its file was edited by hand
 */
export function readSandbox(paths: Pick<InstallationPaths, "sandboxes">, name: string): InstalledSandbox | undefined {
  return readInstalled(specPath(paths, name), (content) => {
    const installed = intact(content);
    return installed?.spec.name === name ? installed : undefined;
  });
}

/**
 * How the installed file differs from what `up` installed, in words; undefined if it does not.
 *
 * @param stated according to the stack's state; undefined if that is not known
 */
export function sandboxDrift(
  paths: InstallationPaths,
  name: string,
  stated: SandboxSpec | undefined,
): string | undefined {
  return installedDrift(specPath(paths, name), "spec", (content) => {
    const installed = intact(content);
    if (installed === undefined) return false;
    return stated === undefined || digestOfSpec(stated) === installed.digest;
  });
}
