import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { inTurn, type Measure, median } from "./measure.ts";
import { benchFleet } from "./modal-fleet.ts";
import { type ByHand, bareDeploys, mngrSchedules } from "./modal-peers.ts";
import { type ModalPlace, machineEnvironment, modalPlace } from "./modal-place.ts";

/** Changelings, rounds of each side, and whether the manual ways also run sequentially. */
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
/** Manual deploys, as with `xargs -P$(nproc)`: they mostly start Python, so more of them at once would be no faster. */
const mostAtOnce = availableParallelism();

/**
 * The first `up` of fleets on Modal's emulator, against two manual ways to the same: `mngr schedule add`, and a bare
 * `modal secret create` and `modal deploy` of a minimal app. The comparison is as fair as it can be:
 *
 * - Each run of each side has its own emulator with only mngr's environment, and a machine whose user has used mngr:
 *   both manual ways need that, and `up` would create it by itself. So all rebuild their images; the emulator skips
 *   installing, the slow part on Modal.
 * - One secret each: as a Modal Secret, except that `mngr schedule` writes it into an image.
 * - The same PATH with the same modal and Python. mngr schedule pins other packages than mngr alone and has its own
 *   environment, with the same versions of mngr and modal.
 * - As many manual deploys run at once as there are cores, which is as fast as the engine's four times as many: the
 *   limits apply to that. For the medium fleet, the time of a sequential loop is reported too.
 * - The sides take turns, so that drifting machine speed favors none.
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

/** An `up` that changes nothing but observes Modal, against the same fleet on this machine. */
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
