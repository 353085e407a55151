import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadFleet } from "../../../components/kinds.ts";
import { makeDemoRepo } from "../../stack/demo-repo.ts";
import { projectFolder } from "../../stack/project.ts";
import { inTurn, type Measure, median, timed } from "./measure.ts";

const fleetSize = 1000;

/** The speed of the program itself: from start to first resource, and validation of a large fleet. */
export async function* programMeasures(folder: string): AsyncGenerator<Measure> {
  mkdirSync(folder, { recursive: true });
  const repo = join(folder, "repo");
  makeDemoRepo(repo);
  const file = join(folder, "fleet.toml");
  writeFileSync(file, fleetText(1));
  const env = { ...process.env, CI: "", BENCH_FLEET: file, BENCH_REPO: repo };
  const run = (args: string[]) => () => timed("node", args, { cwd: projectFolder, env });
  const start = run([join("scripts", "dev", "bench", "first-resource.ts")]);
  const bare = run(["-e", 'require("@pulumi/pulumi")']);
  await start();
  await bare();
  const times = await inTurn(9, start, bare);
  const detail = `${times.ours.toFixed(2)} s against ${times.other.toFixed(2)} s`;
  yield {
    name: "program start to the first resource",
    value: times.ours / times.other,
    unit: "ratio",
    bar: 1.3,
    detail,
  };

  writeFileSync(file, fleetText(fleetSize));
  const seconds: number[] = [];
  for (let round = 0; round < 5; round++) {
    const started = performance.now();
    const { diagnostics } = await loadFleet({
      file,
      context: { home: folder, ci: false, machineTimezone: () => "Etc/UTC", repo, checkRemotes: false },
    });
    seconds.push((performance.now() - started) / 1000);
    if (diagnostics.length > 0) throw new Error(`the bench's fleet has errors: ${JSON.stringify(diagnostics[0])}`);
  }
  // The first is what a user waits for; later ones include the JIT's effect.
  const first = seconds[0] ?? Number.NaN;
  yield {
    name: `validating ${fleetSize} changelings`,
    value: first,
    unit: "s",
    bar: 0.3,
    detail: `then ${median(seconds).toFixed(3)} s`,
  };
}

function fleetText(count: number): string {
  const one = (_: unknown, index: number) =>
    `[changelings.job-${index}]\nagent_type = "command"\nagent_args = ["true"]\nschedule = "${index % 60} 3 * * *"\n` +
    `description = "number ${index}"\nbranch = "main"\ntimeout_seconds = 600\nenv = { NUMBER = "${index}" }\n`;
  return Array.from({ length: count }, one).join("\n");
}
