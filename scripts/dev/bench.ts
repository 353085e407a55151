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

interface Suite {
  /** What it measures, for the help. */
  readonly what: string;
  readonly measures: (folder: string) => AsyncGenerator<Measure>;
  /** Runs only if it is named: another suite measures the same at length. */
  readonly isOnRequest?: true;
}

const suites: Readonly<Record<string, Suite>> = {
  program: { what: "the Pulumi program, from its start to the first resource", measures: programMeasures },
  scheduler: { what: "the scheduler with 300 jobs: memory, wakeups, delay", measures: schedulerMeasures },
  tarball: { what: "packing a repository of 35 MB, against tar and gzip", measures: tarballMeasures },
  engine: { what: "preview and up without changes, against a bare program", measures: engineMeasures },
  commands: { what: "list, doctor and plan, against mngr list and pulumi preview", measures: commandMeasures },
  modal: { what: "the first up on Modal, against mngr schedule and modal deploy", measures: modalMeasures },
  forwarding: { what: "the forwarding server, against a bare proxy and mngr forward", measures: forwardingMeasures },
  sandbox: { what: "sandboxes and sessions, against bare ones", measures: sandboxMeasures },
  "seed-reload": { what: "a hot reload, against its type check and tests alone", measures: seedReloadMeasures },
  "seed-agent": { what: "a seed agent's service, against a bare Fastify server", measures: seedAgentMeasures },
  "seed-cluster": { what: "a roll-out on three nodes, against one node", measures: seedClusterMeasures },
  quick: { what: "the engine suite in a minute, by processor time", measures: quickEngineMeasures, isOnRequest: true },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !Object.hasOwn(suites, name));
if (unknown.length > 0) {
  const isHelp = unknown.every((name) => name === "--help" || name === "-h");
  const lines = Object.entries(suites).map(([name, { what }]) => `  ${name.padEnd(13)} ${what}`);
  const usage = `usage: npm run bench [-- SUITE …]\n\nWithout a name, all but quick run (about 40 minutes).\n\n${lines.join("\n")}\n`;
  (isHelp ? process.stdout : process.stderr).write(usage);
  process.exit(isHelp ? 0 : 2);
}

const folder = mkdtempSync(join(tmpdir(), "bench-"));
try {
  for (const [name, { measures, isOnRequest = false }] of Object.entries(suites)) {
    if (wanted.length > 0 ? !wanted.includes(name) : isOnRequest) continue;
    for await (const measure of measures(join(folder, name))) process.stdout.write(`${measureText(measure)}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
