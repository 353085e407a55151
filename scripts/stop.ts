/** `npm stop`: removes all that `npm start` started and made. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installationPaths } from "../components/cron/local/paths.ts";
import { stopScheduler } from "../components/cron/local/supervise.ts";
import { clearDeadLocks } from "./dead-locks.ts";
import { devFolder, devStack } from "./dev-stack.ts";
import { installationOf, pulumi } from "./stack.ts";

const stack = devStack();
const installation = installationOf(stack);

if (!existsSync(devFolder())) {
  process.stdout.write("Nothing to stop: the embedded default is not there.\n");
} else {
  clearDeadLocks(join(devFolder(), "backend"));
  const { code } = await pulumi(stack, ["destroy", "--yes", "--skip-preview", "--remove", "--non-interactive"], {
    capture: false,
  });
  // A stack that was never made whole (a Ctrl-C in the first `npm start`) can't be destroyed, only cleared away.
  if (code !== 0) await stopScheduler(installation, { endRuns: true });
  rmSync(installationPaths(installation).root, { recursive: true, force: true });
  rmSync(devFolder(), { recursive: true, force: true });
  process.stdout.write("Stopped, and removed ~/.changelings/dev with its stack, fleet file and demo repository.\n");
}
