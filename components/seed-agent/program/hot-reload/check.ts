import { asError } from "../../../lib/as-error.ts";
import { plainWords } from "../../../lib/text.ts";
import { type ReportStep, type ReportStepName, reportSteps, type SourceDiagnostic } from "../domain.ts";
import { analyzeSources } from "./analysis/analyzer.ts";
import type { Candidate, Check, Checked, CheckOptions } from "./checking.ts";
import { type Built, compile } from "./compile.ts";
import { versionHosts } from "./host.ts";
import { checkFiles } from "./parse.ts";
import { replay, tooSlow } from "./replay.ts";
import { runTests, type TestRun } from "./run-tests.ts";
import { Subject } from "./subject.ts";
import type { Fence } from "./version-host.ts";

const maxDiagnostics = 50;
/** The maximum length of one message, in characters. */
const maxLength = 2000;

/** The result of a step. It failed if it has diagnostics, unless `outcome` says otherwise. */
interface Found {
  readonly outcome?: "passed" | "skipped";
  readonly summary: string;
  readonly diagnostics?: readonly SourceDiagnostic[];
  /** If the time was measured elsewhere. */
  readonly milliseconds?: number;
}

/** @returns the function that checks changes, with their code behind this fence */
export function checks(fence: Fence): Check {
  return (candidate, options) => new Checking(fence, candidate, options).run();
}

class Checking {
  readonly #fence: Fence;
  readonly #candidate: Candidate;
  readonly #options: CheckOptions;
  readonly #steps: ReportStep[] = [];

  constructor(fence: Fence, candidate: Candidate, options: CheckOptions) {
    this.#fence = fence;
    this.#candidate = candidate;
    this.#options = options;
  }

  async run(): Promise<Checked> {
    const began = performance.now();
    const built = await this.#build();
    if (built !== undefined) await this.#try(built);
    const passed = this.#hasPassed() && this.#steps.length === reportSteps.length;
    // Steps that were not reached.
    for (const name of reportSteps.slice(this.#steps.length)) {
      this.#add({ name, outcome: "skipped", milliseconds: 0, summary: "not reached", diagnostics: [] });
    }
    const { name, reason } = this.#fence;
    const report = {
      ...{ passed, steps: this.#steps, milliseconds: performance.now() - began },
      fence: reason === undefined ? name : `${name}: ${reason}`,
    };
    return passed && built !== undefined ? { report, built } : { report };
  }

  async #build(): Promise<Built | undefined> {
    const { sources } = this.#candidate;
    const { signal } = this.#options;
    const count = Object.keys(sources).length;
    const files = checkFiles(sources);
    // The compiler must not see names that are not allowed.
    const analysis = files.length > 0 ? undefined : await analyzeSources(sources, signal).catch(asError);
    signal?.throwIfAborted();
    if (analysis instanceof Error) {
      await this.#step("parse", async () => ({
        summary: "not analyzed",
        diagnostics: [{ message: analysis.message }],
      }));
      return undefined;
    }
    const times = analysis?.milliseconds;
    const found = (name: "parse" | "imports" | "types", diagnostics: readonly SourceDiagnostic[], summary: string) =>
      this.#step(name, async () => ({ summary, diagnostics, milliseconds: times?.[name] ?? 0 }));
    await found("parse", [...files, ...(analysis?.parse ?? [])], `${count} files`);
    await found("imports", analysis?.imports ?? [], "imports and names");
    await found("types", analysis?.types ?? [], "TypeScript, strict");
    let built: Built | undefined;
    await this.#step("compile", async () => {
      const compiled = await compile(sources);
      if ("diagnostics" in compiled) return { summary: "esbuild", diagnostics: compiled.diagnostics };
      built = compiled.built;
      return { summary: `${Buffer.byteLength(built.bundle)} bytes` };
    });
    return built;
  }

  async #try(built: Built): Promise<void> {
    const { base, recordings, answers } = this.#candidate;
    const { limits, testMilliseconds } = this.#options;
    const startHost = versionHosts(this.#fence);
    await using candidate = new Subject({ id: "candidate", bundle: built.bundle }, startHost, limits);
    await using former = new Subject(base, startHost, limits);
    // Both start while the tests do.
    candidate.warm();
    if (recordings.length > 0) former.warm();
    await this.#step("tests", async () => {
      if (built.testBundle === undefined) {
        const message = "there are no tests; add a file such as handle.test.ts with test(name, body)";
        return { summary: "no tests", diagnostics: [{ message }] };
      }
      return testsFound(await this.#runTests(built.testBundle, candidate), { isOptional: false });
    });
    await this.#step("former tests", async () => {
      if (base.testBundle === undefined) return { outcome: "skipped", summary: `${base.id} has no tests` };
      if (base.testBundle === built.testBundle) return { summary: "the same tests" };
      return testsFound(await this.#runTests(base.testBundle, candidate), { isOptional: answers === "may differ" });
    });
    await this.#step("replay", async () => {
      if (recordings.length === 0) return { outcome: "skipped", summary: "no requests are recorded" };
      const options = { baseVersion: base.id, milliseconds: testMilliseconds, ...this.#signal() };
      return replayFound(await replay(recordings, { base: former, candidate }, options), answers);
    });
  }

  #runTests(bundle: string, subject: Subject): Promise<TestRun> {
    const { limits, testMilliseconds } = this.#options;
    return runTests(bundle, subject, {
      ...{ fence: this.#fence, limits, milliseconds: testMilliseconds },
      ...this.#signal(),
    });
  }

  #signal(): { signal?: AbortSignal } {
    const { signal } = this.#options;
    return signal === undefined ? {} : { signal };
  }

  /** Runs a step if all steps before it have passed. */
  async #step(name: ReportStepName, work: () => Promise<Found>): Promise<void> {
    if (!this.#hasPassed()) return;
    this.#options.signal?.throwIfAborted();
    const began = performance.now();
    const { outcome, summary, diagnostics = [], milliseconds } = await work();
    const rest = diagnostics.length - maxDiagnostics;
    this.#add({
      ...{ name, summary, milliseconds: milliseconds ?? performance.now() - began },
      outcome: outcome ?? (diagnostics.length === 0 ? "passed" : "failed"),
      diagnostics: [
        ...diagnostics.slice(0, maxDiagnostics).map(shorten),
        ...(rest > 0 ? [{ message: `… and ${rest} more` }] : []),
      ],
    });
  }

  #add(step: ReportStep): void {
    this.#steps.push(step);
    this.#options.onStep?.(step);
  }

  #hasPassed(): boolean {
    return this.#steps.every(({ outcome }) => outcome !== "failed");
  }
}

/** Hostile code may choose a part of a message, and terminals and a model show it. */
function shorten(diagnostic: SourceDiagnostic): SourceDiagnostic {
  const words = plainWords(diagnostic.message);
  return { ...diagnostic, message: words.length > maxLength ? `${words.slice(0, maxLength)}…` : words };
}

function testsFound({ outcomes, problem }: TestRun, { isOptional }: { readonly isOptional: boolean }): Found {
  const failed = outcomes.flatMap(({ diagnostic }) => diagnostic ?? []);
  const diagnostics = [...failed, ...(problem === undefined ? [] : [problem])];
  const none = outcomes.length === 0 && problem === undefined && !isOptional;
  const passed = outcomes.length - failed.length;
  const summary = failed.length === 0 ? `${passed} tests` : `${passed} of ${outcomes.length} tests pass`;
  if (none) return { summary, diagnostics: [{ message: "the test files contain no test; add test(name, body)" }] };
  if (isOptional && diagnostics.length > 0) {
    return { outcome: "passed", summary: `${summary}; answers may differ, so a person decides`, diagnostics };
  }
  return { summary, diagnostics };
}

function replayFound(replayed: Awaited<ReturnType<typeof replay>>, answers: Candidate["answers"]): Found {
  const { compared, left, differences } = replayed;
  const slow = tooSlow(replayed);
  const same = Math.max(0, compared - differences.length);
  const summary = [
    `${same} of ${compared} answers are the same`,
    ...(left > 0 ? [`${left} are not repeatable`] : []),
    ...(compared > 0 ? [`${replayed.candidate.toFixed(1)} ms against ${replayed.base.toFixed(1)} ms (medians)`] : []),
  ].join(", ");
  if (slow !== undefined) return { summary, diagnostics: [...differences, { message: slow }] };
  if (answers === "may differ") return { outcome: "passed", summary, diagnostics: differences };
  return { summary, diagnostics: differences };
}
