import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { writeWholeFile } from "../../components/host/files.ts";
import { installMngr } from "./mngr.ts";
import { findPlugins } from "./plugin.ts";
import { findPulumi } from "./pulumi.ts";
import { findPython } from "./python.ts";
import { type Toolchain, toolchainFile } from "./toolchain.mjs";
import { findTools } from "./tools.ts";

/** Finds or installs everything, and notes where it is. The npm packages must be there already. */
export async function setUpAll(): Promise<Toolchain> {
  const needs = await findTools();
  const python = await findPython();
  const pulumi = await findPulumi(python);
  const homes = await findPlugins(pulumi, process.execPath);
  const toolchain = { node: process.execPath, pulumi, ...homes, ...(await installMngr(python)), needs };
  const file = toolchainFile();
  mkdirSync(dirname(file), { recursive: true });
  writeWholeFile(file, `${JSON.stringify(toolchain, null, 2)}\n`);
  return toolchain;
}
