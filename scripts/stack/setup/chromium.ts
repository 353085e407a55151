import { basename, dirname } from "node:path";
import { withLock } from "./lock.mjs";
import { SetupError } from "./progress.mjs";
import { which } from "./toolchain.mjs";
import { installPackagesOfSystem, remedy } from "./tools.ts";

/** The headless shells come first: the same engine without the browser's own parts, for half of the processor time. */
const NAMES = [
  ...["chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser"],
  ...["google-chrome", "google-chrome-stable"],
];

/** Debian's packages, the preferred one first. Its older releases and Ubuntu have no headless shell. */
const PACKAGES = ["chromium-headless-shell", "chromium"];

/**
 * Returns the path of a Chromium, which only the browser tests need: `CHROMIUM`, else one on PATH, preferably a headless
 * shell. If there is none, it is installed if that needs no confirmation.
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
  let failed: unknown;
  for (const each of PACKAGES) {
    // Another setup may have installed it meanwhile.
    const found = onPath();
    if (found !== null) return found;
    failed = await installPackagesOfSystem([each], problem).catch((error: unknown) => error);
  }
  const found = onPath();
  if (found !== null) return found;
  throw failed ?? new SetupError(problem, { remedy: remedy(["chromium"]) });
}
