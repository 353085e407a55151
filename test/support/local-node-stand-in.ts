/** A node of a seed agent on this machine, with a stand-in for its service. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runNode } from "../../components/seed-agent/local/run-node.ts";

const load = async () => {
  const [, , , folder = ""] = process.argv;
  // Names a release that does not start.
  const broken = join(folder, "../../../broken");
  if (existsSync(broken) && readFileSync(broken, "utf8") === process.env["SEED_RELEASE"]) {
    await sleep(300);
    throw new Error("this release is broken");
  }
  await import("./stand-in-service.ts");
};
await runNode(load, async () => {});
