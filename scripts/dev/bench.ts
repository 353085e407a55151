/**
 * `npm run bench`: measures against a bare Pulumi program in one run. It prints figures; the exit code is no judgement.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandMeasures } from "./bench/commands.ts";
import { engineMeasures, quickEngineMeasures } from "./bench/engine.ts";
import { forwardingMeasures } from "./bench/forwarding.ts";
import { type Measure, measureText } from "./bench/measure.ts";
import { modalMeasures } from "./bench/modal.ts";
import { programMeasures } from "./bench/program.ts";
import { sandboxMeasures } from "./bench/sandbox.ts";
import { schedulerMeasures } from "./bench/scheduler.ts";
import { seedAgentMeasures } from "./bench/seed-agent.ts";
import { seedClusterMeasures } from "./bench/seed-cluster.ts";
import { seedReloadMeasures } from "./bench/seed-reload.ts";
import { tarballMeasures } from "./bench/tarball.ts";

const suites: Record<string, (folder: string) => AsyncGenerator<Measure>> = {
  program: programMeasures,
  scheduler: schedulerMeasures,
  tarball: tarballMeasures,
  engine: engineMeasures,
  commands: commandMeasures,
  modal: modalMeasures,
  forwarding: forwardingMeasures,
  sandbox: sandboxMeasures,
  "seed-reload": seedReloadMeasures,
  "seed-agent": seedAgentMeasures,
  "seed-cluster": seedClusterMeasures,
};

/** Only by name: another suite measures the same at length. */
const quickSuites: typeof suites = { quick: quickEngineMeasures };
const all = { ...suites, ...quickSuites };

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => all[name] === undefined);
if (unknown.length > 0) {
  const isHelp = unknown.every((name) => name === "--help" || name === "-h");
  const usage = `usage: npm run bench [-- ${Object.keys(all).join(" | ")}]\nWithout a name, all but quick (about 40 minutes). quick: the engine in a minute, by processor time.\n`;
  (isHelp ? process.stdout : process.stderr).write(usage);
  process.exit(isHelp ? 0 : 2);
}

const folder = mkdtempSync(join(tmpdir(), "bench-"));
try {
  for (const [name, suite] of Object.entries(all)) {
    if (wanted.length > 0 ? !wanted.includes(name) : name in quickSuites) continue;
    for await (const measure of suite(join(folder, name))) process.stdout.write(`${measureText(measure)}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
