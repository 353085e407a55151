import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { writeWholeFile } from "../../../components/host/files.ts";
import { installMngr } from "./mngr.ts";
import { installPackages } from "./packages.ts";
import { findPulumi } from "./pulumi.ts";
import { findPython } from "./python.ts";
import { type Toolchain, toolchainFile } from "./toolchain.mjs";
import { findTools } from "./tools.ts";

/**
 * Finds or installs everything, in parallel where possible, and records the paths. This module must not import npm
 * packages: they are installed while it runs.
 *
 * @param full installs the complete Pulumi CLI even where the lean one would do
 */
export async function setUpAll({ full = false } = {}): Promise<Toolchain> {
  const [, { needs, pulumi, ...mngr }] = await together([installPackages(), installPrograms(full)]);
  const { findPlugins } = await import("./plugin.ts");
  const homes = await findPlugins(pulumi, process.execPath);
  const toolchain = { node: process.execPath, pulumi, ...homes, ...mngr, needs };
  const file = toolchainFile();
  mkdirSync(dirname(file), { recursive: true });
  writeWholeFile(file, `${JSON.stringify(toolchain, null, 2)}\n`);
  return toolchain;
}

async function installPrograms(full: boolean) {
  // Sequential, because both may call the system's package manager.
  const needs = await findTools();
  const python = await findPython();
  const [pulumi, mngr] = await together([findPulumi(python, { full }), installMngr(python)]);
  return { needs, pulumi, ...mngr };
}

/**
 * Waits for every promise, even if one fails: finished work is kept, and all errors are reported together.
 * @throws the error, or an AggregateError if there are several
 */
export async function together<T extends readonly Promise<unknown>[]>(
  works: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const settled = await Promise.allSettled(works);
  const errors = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  if (errors.length > 1)
    throw new AggregateError(errors.flatMap((error) => (error instanceof AggregateError ? error.errors : [error])));
  if (errors.length === 1) throw errors[0];
  return Promise.all(works);
}
