import { basename, dirname } from "node:path";
import { withLock } from "./lock.mjs";
import { SetupError } from "./progress.mjs";
import { which } from "./toolchain.mjs";
import { installPackagesOfSystem, remedy } from "./tools.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/**
 * Returns the path of a Chromium, which only the browser tests need: `CHROMIUM`, else one on PATH. If there is none, it
 * is installed if that needs no confirmation.
 *
 * @throws SetupError that names what to install
 */
export async function findChromium(): Promise<string> {
  const own = process.env.CHROMIUM;
  if (own !== undefined && own !== "") {
    const found = which(basename(own), dirname(own));
    if (found !== null) return found;
    throw new SetupError(`CHROMIUM is ${own}, which is not a program`, {
      remedy: "Set it to the path of a Chromium or Chrome, or unset it: then PATH is searched.",
    });
  }
  return onPath() ?? (await withLock("chromium", install));
}

function onPath(): string | null {
  return NAMES.map((name) => which(name)).find((path) => path !== null) ?? null;
}

async function install(): Promise<string> {
  const problem = "The tests in a browser need Chromium, not found";
  // Another setup may have installed it meanwhile.
  if (onPath() === null) await installPackagesOfSystem(["chromium"], problem);
  const found = onPath();
  if (found === null) throw new SetupError(problem, { remedy: remedy(["chromium"]) });
  return found;
}
