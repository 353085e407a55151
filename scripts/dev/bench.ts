/**
 * `npm run bench`: measures against a bare Pulumi program in one run. It prints figures; the exit code is no judgement.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandMeasures } from "./bench/commands.ts";
import { engineMeasures } from "./bench/engine.ts";
import { forwardingMeasures } from "./bench/forwarding.ts";
import { type Measure, measureText } from "./bench/measure.ts";
import { modalMeasures } from "./bench/modal.ts";
import { programMeasures } from "./bench/program.ts";
import { schedulerMeasures } from "./bench/scheduler.ts";
import { tarballMeasures } from "./bench/tarball.ts";

const suites: Record<string, (folder: string) => AsyncGenerator<Measure>> = {
  program: programMeasures,
  scheduler: schedulerMeasures,
  tarball: tarballMeasures,
  engine: engineMeasures,
  commands: commandMeasures,
  modal: modalMeasures,
  forwarding: forwardingMeasures,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => suites[name] === undefined);
if (unknown.length > 0) {
  const isHelp = unknown.every((name) => name === "--help" || name === "-h");
  const usage = `usage: npm run bench [-- ${Object.keys(suites).join(" | ")}]\nWithout a name, all of them (about 40 minutes).\n`;
  (isHelp ? process.stdout : process.stderr).write(usage);
  process.exit(isHelp ? 0 : 2);
}

const folder = mkdtempSync(join(tmpdir(), "bench-"));
try {
  for (const [name, suite] of Object.entries(suites)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    for await (const measure of suite(join(folder, name))) process.stdout.write(`${measureText(measure)}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
