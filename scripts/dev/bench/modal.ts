import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { inTurn, type Measure, median } from "./measure.ts";
import { benchFleet } from "./modal-fleet.ts";
import { type ByHand, bareDeploys, mngrSchedules } from "./modal-peers.ts";
import { type ModalPlace, machineEnvironment, modalPlace } from "./modal-place.ts";

/** Changelings, rounds of each side, and whether the ways by hand are also tried one after the other. */
const sizes = [
  { count: 1, rounds: 5, isAlsoInSequence: false },
  { count: 10, rounds: 3, isAlsoInSequence: true },
  { count: 40, rounds: 1, isAlsoInSequence: false },
];
const peers = [
  { name: "mngr schedule add", side: mngrSchedules, bar: 0.33 },
  { name: "modal deploy", side: bareDeploys, bar: 1.3 },
];
const noOpBar = 1.2;
/** By hand, as with `xargs -P$(nproc)`: what is done is Python's start above all, so that more at once are no faster. */
const mostAtOnce = availableParallelism();

/**
 * The first `up` of fleets on Modal's emulator, against the same made by hand in two ways: `mngr schedule add`, and a
 * bare `modal secret create` and `modal deploy` of a minimal app. Fair, as far as it can be:
 *
 * - Each time each side has an emulator of its own on which nothing stands but mngr's environment, and a machine whose
 *   person has used mngr: both by-hand ways need that, and `up` would make it by itself. So all build their images anew,
 *   of which the emulator leaves out what takes long on Modal: installing.
 * - One secret each: as a Modal Secret, but for `mngr schedule`, which writes it into an image.
 * - The same PATH with the same modal and Python. mngr schedule pins other packages than mngr alone and has an
 *   environment of its own, with the same versions of mngr and modal.
 * - By hand as many run at once as there are cores, which is as fast as the engine's four times as many: the bars are
 *   held against that. What a plain loop takes is told beside it, for the fleet that takes neither seconds nor minutes.
 * - The sides take turns, so that a machine whose speed drifts favours none.
 */
export async function* modalMeasures(folder: string): AsyncGenerator<Measure> {
  for (const { count, rounds, isAlsoInSequence } of sizes) {
    const ups: number[] = [];
    const others = peers.map(() => [] as number[]);
    for (let round = 0; round < rounds; round += 1) {
      const at = join(folder, `${count}-${round}`);
      ups.push(await firstUp(join(at, "ours"), count));
      for (const [index, { side }] of peers.entries()) {
        others[index]?.push(await byHand(join(at, `peer-${index}`), side, { count, mostAtOnce }));
      }
    }
    const up = median(ups);
    for (const [index, { name, side, bar }] of peers.entries()) {
      const other = median(others[index] ?? []);
      let detail = `${up.toFixed(1)} s against ${other.toFixed(1)} s`;
      if (isAlsoInSequence) {
        const loop = await byHand(join(folder, `loop-${index}`), side, { count, mostAtOnce: 1 });
        detail += `, which is ${loop.toFixed(1)} s one after the other`;
      }
      yield { name: `up of ${count} on Modal against ${name}`, value: up / other, unit: "ratio", bar, detail };
    }
  }
  yield await noOp(folder, 40);
}

async function firstUp(home: string, count: number): Promise<number> {
  await using place = await modalPlace(home);
  return await (await benchFleet("modal", count, place)).up();
}

async function byHand(
  home: string,
  side: (place: ModalPlace) => ByHand | Promise<ByHand>,
  { count, mostAtOnce }: { readonly count: number; readonly mostAtOnce: number },
): Promise<number> {
  await using place = await modalPlace(home);
  const deploy = await side(place);
  const started = performance.now();
  const waiting = Array.from({ length: count }, (_, index) => index).values();
  const worker = async () => {
    for (const index of waiting) await deploy(index);
  };
  await Promise.all(Array.from({ length: Math.min(mostAtOnce, count) }, worker));
  return (performance.now() - started) / 1000;
}

/** An `up` that changes nothing, with what stands on Modal asked for, against the same fleet on this machine. */
async function noOp(folder: string, count: number): Promise<Measure> {
  await using place = await modalPlace(join(folder, "no-op-modal"));
  const modal = await benchFleet("modal", count, place);
  const home = join(folder, "no-op-local");
  mkdirSync(home);
  const local = await benchFleet("local", count, { home, env: machineEnvironment(home) });
  try {
    await modal.up();
    await local.up();
    const times = await inTurn(5, modal.up, local.up);
    const detail = `${times.ours.toFixed(2)} s against ${times.other.toFixed(2)} s`;
    const name = `no-op up of ${count} on Modal against the same on provider local`;
    return { name, value: times.ours / times.other, unit: "ratio", bar: noOpBar, detail };
  } finally {
    await local.end();
  }
}
