import { join } from "node:path";
import * as z from "zod/mini";
import type { InstallationPaths } from "../host/installation-paths.ts";
import { installedDrift, installedIn, readInstalled, writeInstalled } from "../host/installed-file.ts";
import { digestOfJson } from "../lib/json.ts";
import { type SeedAgentSpec, seedAgentSpec } from "./spec.ts";

/** The record of a seed agent that `up` writes on this machine (0600), so that the CLI can reach the agent. */
const installedSeedAgent = z.object({
  spec: seedAgentSpec,
  /** Of the spec, to detect a file that was edited by hand. */
  digest: z.string(),
  enabled: z.boolean(),
  release: z.string(),
  /** The origin of its endpoints as this machine reaches them. */
  url: z.optional(z.string()),
  controlToken: z.string(),
});
export type InstalledSeedAgent = z.output<typeof installedSeedAgent>;

type Paths = Pick<InstallationPaths, "seedAgents">;

export function specPath({ seedAgents }: Paths, name: string): string {
  return join(seedAgents, "specs", `${name}.json`);
}

/** @returns undefined if it was edited by hand */
function intact(content: unknown): InstalledSeedAgent | undefined {
  const { data } = installedSeedAgent.safeParse(content);
  return data !== undefined && data.digest === digestOfJson(data.spec) ? data : undefined;
}

export function writeSeedAgent(paths: Paths, installed: Omit<InstalledSeedAgent, "digest">): void {
  const content: InstalledSeedAgent = { ...installed, digest: digestOfJson(installed.spec) };
  writeInstalled(specPath(paths, installed.spec.name), content);
}

/** The names of the installed seed agents, sorted. */
export function installedSeedAgents({ seedAgents }: Paths): string[] {
  return installedIn(join(seedAgents, "specs"));
}

/**
 * @returns undefined if there is none
 * @throws if its file was edited by hand; the error quotes nothing of it
 */
export function readSeedAgent(paths: Paths, name: string): InstalledSeedAgent | undefined {
  return readInstalled(specPath(paths, name), (content) => {
    const installed = intact(content);
    return installed?.spec.name === name ? installed : undefined;
  });
}

/**
 * How the record of a seed agent differs from what was installed, in words; undefined if it does not.
 *
 * @param stated the deployed spec according to the stack's state
 */
export function recordDrift(paths: Paths, name: string, stated: SeedAgentSpec): string | undefined {
  return installedDrift(specPath(paths, name), "record", (content) => {
    const installed = intact(content);
    if (installed === undefined) return false;
    return digestOfJson(stated) === installed.digest;
  });
}
