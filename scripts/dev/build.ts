/**
 * `npm run build`: compiles the components to JavaScript with types, for other Pulumi programs (Node strips no types
 * below node_modules).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { programFiles } from "../../components/seed-agent/image/context.ts";
import { projectFolder } from "../stack/project.ts";
import { argumentsOf } from "../stack/setup/arguments.mjs";
import { writeModules } from "./build/modules.ts";

/** Modules that a program reads: what a seed agent's code is written against, and its first version. */
const readAsText = /seed-agent\/program\/(seed\.d|first-version\/[^/]+)\.ts$/;

argumentsOf("build");
const dist = join(projectFolder, "dist");
rmSync(dist, { recursive: true, force: true });
const [status] = await Promise.all([writeTypes(), writeModules(dist)]);
if (status === 0) {
  // Files that the programs read at run time: prompts, agent types, shell and awk programs.
  for (const folder of ["changelings", "components"]) {
    cpSync(join(projectFolder, folder), join(dist, folder), {
      recursive: true,
      filter: (file) => !/\.ts$|__pycache__/.test(file) || readAsText.test(file),
    });
  }
  // TypeScript that the seed agent's service reads.
  for (const part of ["first-version", "seed.d.ts"]) {
    const path = join("components/seed-agent/program", part);
    cpSync(join(projectFolder, path), join(dist, path), { recursive: true });
  }
  // The content of its image: the same release as from the checkout.
  for (const [path, text] of await programFiles()) {
    const file = join(dist, "components/seed-agent/image/built", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  // The versions of what is installed, and the packages of a changeling's containers on Modal.
  for (const file of ["versions.json", "requirements.txt"]) {
    const path = join("scripts/stack/setup", file);
    cpSync(join(projectFolder, path), join(dist, path));
  }
} else {
  process.exitCode = status;
}

/** @returns the compiler's exit code */
async function writeTypes(): Promise<number> {
  const compiler = join(projectFolder, "node_modules", "typescript", "bin", "tsc");
  const child = spawn(process.execPath, [compiler, "-p", join(projectFolder, "scripts", "dev", "build")], {
    stdio: "inherit",
  });
  const [code] = await once(child, "close");
  return code ?? 1;
}
