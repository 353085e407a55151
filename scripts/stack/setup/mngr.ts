import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Python } from "./python.ts";
import { installPythonLock } from "./python-environment.ts";

const PROGRAMS = ["mngr", "modal"] as const;

/**
 * Installs mngr and modal in their own Python environment. Their programs are linked from a separate folder for PATH.
 * The environment's own python and pytest stay off PATH, because an agent would run them instead of its project's.
 */
export async function installMngr(python: Python): Promise<{ python: string; mngr: string; modal: string }> {
  const folder = await installPythonLock("", "Installing mngr and modal, once", python);
  const programs = join(folder, "programs");
  mkdirSync(programs, { recursive: true });
  for (const program of PROGRAMS) {
    const link = join(programs, program);
    if (existsSync(link)) continue;
    rmSync(link, { force: true });
    symlinkSync(join("../bin", program), link);
  }
  return { python: join(folder, "bin/python"), mngr: join(programs, "mngr"), modal: join(programs, "modal") };
}
