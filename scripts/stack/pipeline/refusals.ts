import { homedir } from "node:os";
import { secretNames } from "../../../components/fleet/secrets.ts";
import type { Fleet } from "../../../components/kinds.ts";
import { portablePath } from "../../../components/lib/portable-path.ts";
import { projectFolder } from "../project.ts";
import { isPipeline } from "./job-environment.ts";

/**
 * What a pipeline's job must not apply, each with its remedy; empty outside of a pipeline. Checked before any change,
 * and in previews, so that it is reported before the merge.
 */
export function refusals(fleet: Fleet, env: Readonly<Record<string, string | undefined>> = process.env): string[] {
  if (!isPipeline(env)) return [];
  const file = portablePath(fleet.file, { project: projectFolder, home: homedir() });
  const found: string[] = [];
  for (const provider of ["local", "docker"]) {
    const names = fleet.changelings.filter((each) => each.provider === provider).map(({ name }) => name);
    if (names.length === 0) continue;
    found.push(
      `${names.join(", ")}: provider = "${provider}" means the machine that applies the fleet, and this job's machine ` +
        `is gone when the job ends: nothing would fire, or serve\n` +
        `    → write provider = "modal" in ${file}, or apply such a fleet from the machine that it is to run on`,
    );
  }
  if (
    env["GITHUB_TOKEN"]?.startsWith("ghs_") &&
    fleet.changelings.some((one) => secretNames(one).includes("GITHUB_TOKEN"))
  ) {
    found.push(
      "GITHUB_TOKEN is a job's own token (ghs_…), which ends with the job: the agents could not push with it\n" +
        "    → make a token for the agents, keep it as the secret AGENT_GITHUB_TOKEN, and pass that as GITHUB_TOKEN",
    );
  }
  return found;
}
