/**
 * `npm run bench`: measures against a bare Pulumi program in one run. It prints figures; the exit code is no judgement.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argumentsOf } from "../stack/setup/arguments.mjs";
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

/** What each measures is in its help: `scripts/stack/setup/arguments.mjs`. */
const suites: Readonly<Record<string, (folder: string) => AsyncGenerator<Measure>>> = {
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
  quick: quickEngineMeasures,
};

/** They run only if they are named: another suite measures the same at length. */
const onRequest = new Set(["quick"]);

const { operands: wanted } = argumentsOf("bench");
const folder = mkdtempSync(join(tmpdir(), "bench-"));
try {
  for (const [name, measures] of Object.entries(suites)) {
    if (wanted.length > 0 ? !wanted.includes(name) : onRequest.has(name)) continue;
    for await (const measure of measures(join(folder, name))) process.stdout.write(`${measureText(measure)}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
