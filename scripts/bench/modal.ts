import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { inTurn, type Measure, median } from "./measure.ts";
import { benchFleet } from "./modal-fleet.ts";
import { type ByHand, bareDeploys, mngrSchedules } from "./modal-peers.ts";
import { type ModalPlace, machineEnvironment, modalPlace } from "./modal-place.ts";

/** Changelings, and rounds of each side: what takes a minute is not much moved by what else the machine does. */
const sizes = [
  { count: 1, rounds: 5 },
  { count: 10, rounds: 3 },
  { count: 40, rounds: 1 },
];
const scheduleBar = 1 / 3;
const bareBar = 1.3;
const noOpBar = 1.2;
/** As many at once as Pulumi's engine does. */
const mostAtOnce = 4 * availableParallelism();

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
 * - By hand as many run at once as the engine runs: a loop of a shell's does one after the other, and `xargs -P` that.
 *   The bars are held against the faster.
 * - The sides take turns, so that a machine whose speed drifts favours none.
 */
export async function* modalMeasures(folder: string): AsyncGenerator<Measure> {
  for (const { count, rounds } of sizes) {
    const times: Record<"ours" | "bare" | "schedule", number[]> = { ours: [], bare: [], schedule: [] };
    for (let round = 0; round < rounds; round += 1) {
      const at = join(folder, `${count}-${round}`);
      times.bare.push(await byHand(join(at, "bare"), count, bareDeploys));
      times.ours.push(await firstUp(join(at, "ours"), count));
      times.schedule.push(await byHand(join(at, "schedule"), count, mngrSchedules));
    }
    const ours = median(times.ours);
    for (const [side, other, bar] of [
      ["mngr schedule add", median(times.schedule), scheduleBar],
      ["modal deploy", median(times.bare), bareBar],
    ] as const) {
      const detail = `${ours.toFixed(1)} s against ${other.toFixed(1)} s`;
      yield { name: `up of ${count} on Modal against ${side}`, value: ours / other, unit: "ratio", bar, detail };
    }
  }
  yield await noOp(folder, 40);
}

async function firstUp(home: string, count: number): Promise<number> {
  await using place = await modalPlace(home);
  return (await benchFleet("modal", count, place)).up();
}

async function byHand(
  home: string,
  count: number,
  side: (place: ModalPlace) => ByHand | Promise<ByHand>,
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
