import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { DiskCodeStore } from "../../components/seed-agent/program/code-store/disk.ts";
import { versionOf } from "../support/code-versions.ts";

/** How many times a process is killed. A night's work: `CODE_STORE_SEEDS=200`. */
const seeds = Number(process.env["CODE_STORE_SEEDS"] ?? 12);

const program = join(import.meta.dirname, "../support/code-store-program.ts");

interface Model {
  readonly written: ReadonlySet<number>;
  readonly active: number;
  readonly good: ReadonlySet<number>;
  readonly starts: number;
  readonly history: readonly number[];
}

const empty: Model = { written: new Set(), active: 0, good: new Set(), starts: 0, history: [] };

function after(model: Model, operation: string): Model {
  const [name, text] = operation.split(" ");
  const number = Number(text);
  const { written, active, good, history } = model;
  if (name === "write") return { ...model, written: new Set([...written, number]) };
  if (name === "activate" && number !== active)
    return { ...model, active: number, starts: 0, history: [...history, number] };
  if (name === "good") return { ...model, good: new Set([...good, number]) };
  if (name === "start") return { ...model, starts: model.starts + 1 };
  if (name === "started") return { ...model, starts: 0 };
  if (name === "prune") {
    const kept = new Set([number, active, lastGood(model)]);
    return { ...model, written: new Set([...written].filter((each) => kept.has(each))) };
  }
  return model;
}

function lastGood({ history, active, good, written }: Model): number {
  return history.findLast((each) => each !== active && good.has(each) && written.has(each)) ?? 0;
}

/** Operations that succeed, in a random order. */
const script = fc
  .array(
    fc.tuple(fc.constantFrom("write", "write", "activate", "activate", "good", "start", "started", "prune"), fc.nat()),
    {
      minLength: 4,
      maxLength: 14,
    },
  )
  .map((wanted) => {
    const operations: string[] = [];
    let model = empty;
    for (const [name, random] of wanted) {
      const written = [...model.written];
      const number =
        name === "write" ? 1 + (random % 6) : name === "good" ? model.active : written[random % written.length];
      const operation = name === "start" || name === "started" ? name : `${name} ${number ?? 0}`;
      operations.push(operation);
      model = after(model, operation);
    }
    return operations;
  });

async function observed(folder: string): Promise<Model & { readonly lastGood: number; readonly setAside: unknown }> {
  const store = new DiskCodeStore({ folder });
  const numberOf = (id: string) => Number(id.slice(1));
  try {
    const { versions, setAside } = await store.open();
    for (const id of versions) expect(await store.read(id)).toEqual(versionOf(numberOf(id)));
    const active = numberOf(store.active());
    const { starts } = await store.beginStart();
    const written = new Set(versions.map(numberOf));
    const good: Set<number> = new Set(store.isGood() ? [active] : []);
    return { written, active, good, starts: starts - 1, history: [], lastGood: numberOf(store.lastGood()), setAside };
  } finally {
    await store.close();
  }
}

function shown(model: Model, itsLastGood = lastGood(model)) {
  const isGood = model.active === 0 || model.good.has(model.active);
  const written = [...model.written].toSorted((one, other) => one - other);
  return { written, active: model.active, isGood, starts: model.starts, lastGood: itsLastGood };
}

function run(folder: string, step: number, operations: readonly string[]): string[] {
  const { stdout, stderr, signal } = spawnSync(process.execPath, [program, folder, String(step), ...operations], {
    encoding: "utf8",
    timeout: 60_000,
  });
  const lines = stdout.trim().split("\n");
  if (signal !== "SIGKILL" && !lines.at(-1)?.startsWith("end ")) throw new Error(`${stdout}${stderr}`);
  return lines;
}

it("has done all or nothing of an operation, at whichever step its process is killed", {
  timeout: 20_000 * (seeds + 1),
}, async () => {
  const chosen = process.env["CODE_STORE_SEED"] ?? (process.env["CI"] ? 20_261_130 : Date.now() % 1e9);
  const plans = fc.sample(fc.record({ operations: script, share: fc.noBias(fc.integer({ min: 0, max: 999 })) }), {
    numRuns: seeds,
    seed: Number(chosen),
  });
  for (const { operations, share } of plans) {
    const folder = mkdtempSync(join(tmpdir(), "code-store-"));
    try {
      // What it takes as a whole says how many steps there are.
      const whole = run(join(folder, "whole"), Number.MAX_SAFE_INTEGER, operations);
      const step = Math.floor((share / 1000) * Number(whole.at(-1)?.split(" ")[1]));
      const lines = run(join(folder, "killed"), step, operations);
      const done = lines.filter((line) => line.startsWith("done ")).map((line) => line.slice("done ".length));
      const begun = lines.filter((line) => line.startsWith("begin ")).length;
      const before = done.reduce(after, empty);
      const [pending] = operations.slice(done.length, begun);
      const context = JSON.stringify({ chosen, step, operations, done: done.length });
      const found = await observed(join(folder, "killed"));
      expect(found.setAside, context).toEqual([]);
      const next = pending === undefined ? before : after(before, pending);
      // One version after another is deleted.
      const isWithin = (some: ReadonlySet<number>, all: ReadonlySet<number>) =>
        [...some].every((each) => all.has(each));
      const isPart = isWithin(next.written, found.written) && isWithin(found.written, before.written);
      const pruned = pending?.startsWith("prune") && isPart ? [{ ...before, written: found.written }] : [];
      expect(
        [before, next, ...pruned].map((model) => shown(model)),
        context,
      ).toContainEqual(shown(found, found.lastGood));
      // It goes on from there.
      const again = run(
        join(folder, "killed"),
        Number.MAX_SAFE_INTEGER,
        operations.filter((each) => each.startsWith("write")),
      );
      expect(again.at(-1), context).toMatch(/^end /);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
});
