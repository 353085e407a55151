import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stopScheduler } from "../../../components/cron/local/supervise.ts";
import { devFolder, devStack, ensureDevStack } from "../../stack/dev-stack.ts";
import { projectFolder } from "../../stack/project.ts";
import { installationOf, stackEnvironment } from "../../stack/stack.ts";
import { writeBareProgram } from "./bare-program.ts";
import { inTurn, type Measure, timed } from "./measure.ts";

/** Changelings, rounds of each command, and the limit for a no-op relative to the bare program. */
const sizes = [
  { count: 1, rounds: 5, bar: 1.15 },
  { count: 50, rounds: 3, bar: 0.9 },
  { count: 300, rounds: 3, bar: 0.6 },
];

/** No-op `preview` and `up` of fleets against a bare program with as many resources. */
export async function* engineMeasures(folder: string): AsyncGenerator<Measure> {
  for (const { count, rounds, bar } of sizes) {
    const home = join(folder, `home-${count}`);
    mkdirSync(home, { recursive: true });
    const env = { ...process.env, HOME: home, CI: "" };
    const stack = ensureDevStack(home, env);
    writeFileSync(join(devFolder(home), "fleet.toml"), fleetOf(count));
    const bare = await makeBareStack(join(folder, `bare-${count}`), count, env);
    const ours = (verb: string[]) =>
      timed("pulumi", [...verb, "--stack", stack.name, "--config-file", stack.configFile ?? ""], {
        cwd: projectFolder,
        env: { ...env, ...stackEnvironment(stack) },
      });
    try {
      await ours(["up", "--yes", "--skip-preview"]);
      await bare(["up", "--yes", "--skip-preview"]);
      for (const verb of [["preview"], ["up", "--yes", "--skip-preview"]]) {
        const times = await inTurn(
          rounds,
          () => ours(verb),
          () => bare(verb),
        );
        const detail = `${times.ours.toFixed(2)} s against ${times.other.toFixed(2)} s`;
        yield { name: `no-op ${verb[0]} of ${count}`, value: times.ours / times.other, unit: "ratio", bar, detail };
      }
    } finally {
      await stopScheduler(installationOf(devStack(home)), { endRuns: true }, home);
    }
  }
}

function fleetOf(count: number): string {
  const one = (_: unknown, index: number) => `[changelings.job-${index}]\nschedule = "${index % 60} 3 * * *"\n`;
  const defaults = '[defaults]\nagent_type = "command"\nagent_args = ["true"]\n';
  return defaults + Array.from({ length: count }, one).join("");
}

/** Creates the bare program on its own stack. Returns a function that runs the CLI on it. */
export async function makeBareStack(folder: string, count: number, env: NodeJS.ProcessEnv) {
  writeBareProgram(folder, count);
  mkdirSync(join(folder, "backend"));
  const bareEnv = {
    ...env,
    PULUMI_BACKEND_URL: `file://${join(folder, "backend")}`,
    PULUMI_CONFIG_PASSPHRASE: "bench",
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
  await timed("pulumi", ["stack", "init", "dev"], { cwd: folder, env: bareEnv });
  return (verb: string[]) => timed("pulumi", [...verb, "--stack", "dev"], { cwd: folder, env: bareEnv });
}
