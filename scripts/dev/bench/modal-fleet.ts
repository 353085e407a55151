import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stopScheduler } from "../../../components/cron/local/supervise.ts";
import { devFolder, ensureDevStack } from "../../stack/dev-stack.ts";
import { projectFolder } from "../../stack/project.ts";
import { installationOf, stackEnvironment } from "../../stack/stack.ts";
import { timed } from "./measure.ts";

export interface BenchFleet {
  /** `pulumi up`. @returns its wall time in seconds */
  up(): Promise<number>;
  /** Ends the processes that it started on this machine. */
  end(): Promise<void>;
}

/**
 * Creates a stack of `count` changelings with a secret each, without `up`. The fleet is the same for both providers.
 */
export async function benchFleet(
  provider: "modal" | "local",
  count: number,
  { home, env }: { readonly home: string; readonly env: NodeJS.ProcessEnv },
): Promise<BenchFleet> {
  const stack = ensureDevStack(home, env);
  const folder = devFolder(home);
  // Nothing listens there: an `up` with a local repository contacts no remote.
  const remote = "http://127.0.0.1:9/app.git";
  await timed("git", ["-C", join(folder, "demo-repo"), "remote", "add", "origin", remote], { cwd: folder, env });
  writeFileSync(join(folder, "fleet.toml"), fleetText(provider, count));
  const args = ["up", "--yes", "--skip-preview", "--stack", stack.name, "--config-file", stack.configFile ?? ""];
  return {
    up: () => timed("pulumi", args, { cwd: projectFolder, env: { ...env, ...stackEnvironment(stack) } }),
    end: () => stopScheduler(installationOf(stack), { endRuns: true }, home),
  };
}

function fleetText(provider: "modal" | "local", count: number): string {
  const verify = provider === "modal" ? 'verify = "none"\n' : "";
  const defaults = `[defaults]\nprovider = "${provider}"\nagent_type = "command"\nagent_args = ["true"]\nsecrets = ["BENCH_TOKEN"]\n`;
  const one = (_: unknown, index: number) => `[changelings.job-${index}]\nschedule = "${index % 60} 3 * * *"\n`;
  return defaults + verify + Array.from({ length: count }, one).join("");
}
