/**
 * `npm test`: the checks and all tests except the journeys. `npm test -- ARGUMENTS` passes the arguments to vitest and
 * skips the checks (`npm test -- --project journeys`). The last line is always "N passed, N failed, N skipped",
 * including the checks.
 */
import { parseCLI, startVitest, type TestModule, type TestSuite } from "vitest/node";
import { keepTemporaryFilesInMemory } from "../../test/support/temporary-folder.ts";
import { startWarmMngr } from "../../test/support/warm-mngr/warm-mngr.ts";
import { argumentsOf } from "../stack/setup/arguments.mjs";
import { checkout } from "../stack/setup/cache.mjs";
import { findChromium } from "../stack/setup/chromium.ts";
import { setUpDocker } from "../stack/setup/docker.ts";
import { setUpEmulator } from "../stack/setup/emulator.ts";
import { setUpKubernetes } from "../stack/setup/kubernetes.ts";
import { findKubernetesValidate } from "../stack/setup/kubernetes-validate.ts";
import { setUpPostgres } from "../stack/setup/postgres.ts";
import { descendantsOf, signalQuietly } from "../stack/setup/processes.mjs";
import { SetupError, say } from "../stack/setup/progress.mjs";
import { pruneCache } from "../stack/setup/prune.ts";
import { explain } from "../stack/setup/run.mjs";
import { readToolchain } from "../stack/setup/toolchain.mjs";
import { runChecks } from "./check/checks.ts";

let removeTemporaryFiles: (() => string[]) | undefined;

// An interrupted run skips the tests' own cleanup, and the processes that they started must not outlive it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    for (const pid of descendantsOf(process.pid)) signalQuietly(pid, "SIGKILL");
    removeTemporaryFiles?.();
    process.kill(process.pid, signal);
  });
}

const { operands: args } = argumentsOf("test");
// Each run leaves the compiled code of files in temporary folders.
if (args.length === 0) await pruneCache();
const checks = args.length === 0 ? await runChecks() : { passed: [], failed: [] };

// A test that needs these would set them up too, but within its timeout and without showing progress.
const isUnit = args.join(" ").startsWith("--project unit");
if (!isUnit) {
  await prepare("Modal's emulator", setUpEmulator);
  await prepare("a browser", findChromium);
  await prepare("PostgreSQL", setUpPostgres, "be skipped");
  await prepare("Kubernetes' schemas", findKubernetesValidate, "be skipped");
}
// Only journeys need it, and it takes more than a minute.
if (args.some((arg) => /docker|journeys/.test(arg))) await prepare("docker", setUpDocker, "be skipped");
// Its build takes ten minutes, so it is not for all journeys.
if (args.some((arg) => arg.includes("seed-kubernetes"))) await prepare("Kubernetes", setUpKubernetes, "be skipped");

// The journeys build images of gigabytes.
if (!args.some((arg) => /docker|journeys/.test(arg))) removeTemporaryFiles = keepTemporaryFilesInMemory();

const toolchain = readToolchain();
const isWarm = !isUnit && toolchain !== null && process.env["COLD_MNGR"] === undefined;
const warm = isWarm ? startWarmMngr(toolchain, process.env["PATH"] ?? "") : undefined;
if (warm !== undefined) process.env["PATH"] = warm.path;

// The journeys cover at length what other tests cover, and would take as long as all of those.
const { filter, options } = parseCLI(["vitest", "run", ...(args.length === 0 ? ["--project=!journeys"] : args)]);
const vitest = await startVitest("test", filter, { root: checkout, ...options, watch: false });
const modules = vitest.state.getTestModules();
const tests = modules.flatMap((module) => [...module.children.allTests()]);
const count = (state: string): number => tests.filter((test) => test.result().state === state).length;

const skipped = tests.filter((test) => test.result().state === "skipped");
for (const test of skipped) {
  const result = test.result();
  const reason = result.state === "skipped" && result.note !== undefined ? result.note : "no reason is given";
  process.stdout.write(`skipped: ${test.module.relativeModuleId} > ${test.fullName}: ${reason}\n`);
}

// A file that can't be loaded, a failed hook and an error outside of all tests have no test to represent them. A test
// that never ended is not a pass.
const brokenGroups = modules.flatMap((module) => [module, ...module.children.allSuites()]).filter(isBroken).length;
const orphanErrors = vitest.state.getUnhandledErrors().length;
const passed = checks.passed.length + count("passed");
const failed = checks.failed.length + count("failed") + count("pending") + brokenGroups + orphanErrors;
await vitest.close();
warm?.end();
for (const command of removeTemporaryFiles?.() ?? []) process.stdout.write(`left running by a test: ${command}\n`);

process.stdout.write(`${passed} passed, ${failed} failed, ${skipped.length} skipped\n`);
process.exit(failed > 0 || tests.length === 0 ? 1 : 0);

async function prepare(what: string, setUp: () => Promise<unknown>, otherwise = "fail"): Promise<void> {
  try {
    await setUp();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(`${explain(error)}\nThe tests that need ${what} will ${otherwise}.`);
  }
}

function isBroken(group: TestModule | TestSuite): boolean {
  return group.errors().length > 0;
}
