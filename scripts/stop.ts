/** `npm stop`: removes all that `npm start` started and made. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { stopScheduler } from "../components/cron/local/supervise.ts";
import { installationPaths } from "../components/installation-paths.ts";
import { removeFromDocker as removeServer } from "../components/web/forwarding/docker/end-container.ts";
import { readContainer } from "../components/web/forwarding/docker/installed-container.ts";
import { stopForwardingServer } from "../components/web/forwarding/supervise.ts";
import { readRecords } from "../components/web/record.ts";
import { clearDeadLocks } from "./dead-locks.ts";
import { devFolder, devStack } from "./dev-stack.ts";
import { installationOf, pulumi } from "./stack.ts";
import { destroyAgents, removeFromDocker, removeKept } from "./web-leftovers.ts";

try {
  if (existsSync(devFolder())) await stop();
  else process.stdout.write("Nothing to stop: the embedded default is not there.\n");
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

async function stop(): Promise<void> {
  const stack = devStack();
  const installation = installationOf(stack);
  const paths = installationPaths(installation);
  const web = readRecords(paths);
  process.stdout.write("Removing the fleet (pulumi destroy) …\n");
  clearDeadLocks(join(devFolder(), "backend"));
  // Not with --remove, which deletes the tracked Pulumi.dev.yaml, whatever --config-file says.
  const options = ["--yes", "--skip-preview", "--non-interactive", "--color", "never"];
  const { code, stdout, stderr } = await pulumi(stack, ["destroy", ...options], { capture: true });
  if (code !== 0) {
    process.stderr.write(`${stdout}${stderr}`);
    // A stack that was never made whole (a Ctrl-C in the first `npm start`) can't be destroyed, only cleared away.
    await Promise.all([stopScheduler(installation, { endRuns: true }), stopForwardingServer(installation)]);
    if (readContainer(paths.forwarding) !== undefined) await removeServer(installation);
  }
  // Pulumi does not know of one whose creation failed.
  await destroyAgents(readRecords(paths).filter(({ removed }) => removed !== true));
  const elsewhere = [...removeKept(web), ...(await removeFromDocker(web, installation, paths))];
  rmSync(paths.root, { recursive: true, force: true });
  rmSync(devFolder(), { recursive: true, force: true });
  process.stdout.write("Stopped, and removed ~/.changelings/dev with its stack, fleet file and demo repository.\n");
  for (const data of elsewhere) process.stdout.write(`Kept, because the fleet file put it there: ${data}\n`);
}
