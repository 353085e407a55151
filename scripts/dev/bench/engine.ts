import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stopScheduler } from "../../../components/cron/local/supervise.ts";
import { devFolder, devStack, ensureDevStack } from "../../stack/dev-stack.ts";
import { projectFolder } from "../../stack/project.ts";
import { installationOf, stackEnvironment } from "../../stack/stack.ts";
import { writeBareProgram } from "./bare-program.ts";
import { type Measure, type Spent, spentBy, spentInTurn, timed } from "./measure.ts";

/** Changelings, rounds of each command, and the limits for a no-op's times relative to the bare program. */
interface Size {
  readonly count: number;
  readonly rounds: number;
  /** Undefined: wall time is only shown. */
  readonly wallBar?: number;
  readonly processorBar: number;
}

/** No-op `preview` and `up` of fleets against a bare program with as many resources. */
export async function* engineMeasures(folder: string): AsyncGenerator<Measure> {
  yield* measuresOf({ count: 1, rounds: 5, wallBar: 0.8, processorBar: 0.75 }, folder);
  yield* measuresOf({ count: 50, rounds: 3, wallBar: 0.6, processorBar: 0.6 }, folder);
  yield* measuresOf({ count: 300, rounds: 3, wallBar: 0.5, processorBar: 0.55 }, folder);
}

/** The same of one size, by processor time alone: under a minute, on a machine that may be busy. */
export function quickEngineMeasures(folder: string): AsyncGenerator<Measure> {
  return measuresOf({ count: 20, rounds: 3, processorBar: 0.65 }, folder);
}

async function* measuresOf({ count, rounds, wallBar, processorBar }: Size, folder: string): AsyncGenerator<Measure> {
  const home = join(folder, `home-${count}`);
  mkdirSync(home, { recursive: true });
  const env = { ...process.env, HOME: home, CI: "" };
  const stack = ensureDevStack(home, env);
  writeFileSync(join(devFolder(home), "fleet.toml"), fleetOf(count));
  const bare = await makeBareStack(join(folder, `bare-${count}`), count, env);
  const ours = (verb: string[]) =>
    spentBy("pulumi", [...verb, "--stack", stack.name, "--config-file", stack.configFile ?? ""], {
      cwd: projectFolder,
      env: { ...env, ...stackEnvironment(stack) },
    });
  try {
    await ours(["up", "--yes", "--skip-preview"]);
    await bare(["up", "--yes", "--skip-preview"]);
    for (const verb of [["preview"], ["up", "--yes", "--skip-preview"]]) {
      const spent = await spentInTurn(
        rounds,
        () => ours(verb),
        () => bare(verb),
      );
      const times = (of: keyof Spent) => `${spent.ours[of].toFixed(2)} s against ${spent.other[of].toFixed(2)} s`;
      const name = `no-op ${verb[0]} of ${count}`;
      if (wallBar !== undefined) {
        const value = spent.ours.wall / spent.other.wall;
        yield { name, value, unit: "ratio", bar: wallBar, detail: times("wall") };
      }
      const value = spent.ours.processor / spent.other.processor;
      const wall = wallBar === undefined ? `; wall time ${times("wall")}` : "";
      const detail = times("processor") + wall;
      yield { name: `${name}, processor time`, value, unit: "ratio", bar: processorBar, detail };
    }
  } finally {
    await stopScheduler(installationOf(devStack(home)), { endRuns: true }, home);
  }
}

function fleetOf(count: number): string {
  const one = (_: unknown, index: number) => `[changelings.job-${index}]\nschedule = "${index % 60} 3 * * *"\n`;
  const defaults = '[defaults]\nagent_type = "command"\nagent_args = ["true"]\n';
  return defaults + Array.from({ length: count }, one).join("");
}

/** Creates the bare program on its own stack. Returns a function that runs the CLI on it. */
async function makeBareStack(folder: string, count: number, env: NodeJS.ProcessEnv) {
  writeBareProgram(folder, count);
  mkdirSync(join(folder, "backend"));
  const bareEnv = {
    ...env,
    ...ownFolders(folder, env),
    PULUMI_BACKEND_URL: `file://${join(folder, "backend")}`,
    PULUMI_CONFIG_PASSPHRASE: "bench",
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
  await timed("pulumi", ["stack", "init", "dev"], { cwd: folder, env: bareEnv });
  return (verb: string[]) => spentBy("pulumi", [...verb, "--stack", "dev"], { cwd: folder, env: bareEnv });
}

/**
 * The bare program's own folders for what both programs would otherwise share or lack: Node's compiled code, which they
 * would overwrite in turn because their V8 flags differ, and a PULUMI_HOME in which the CLI logs, as it does by default.
 */
function ownFolders(folder: string, { PULUMI_HOME }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own = { NODE_COMPILE_CACHE: join(folder, "compiled") };
  if (PULUMI_HOME === undefined) return own;
  const home = join(folder, "pulumi-home");
  mkdirSync(home);
  symlinkSync(join(PULUMI_HOME, "plugins"), join(home, "plugins"));
  return { ...own, PULUMI_HOME: home };
}
