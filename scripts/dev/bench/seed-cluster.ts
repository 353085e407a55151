import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { startPostgres } from "../../../test/support/postgres.ts";
import { type RunningService, removeFolder, startSeedService } from "../../../test/support/seed-agent/service.ts";
import { freePort, inTurn, type Measure } from "./measure.ts";

const rounds = 5;
/** The first has a probation, then each of the others has: a version is on one node more at a time. */
const bar = 4;
const probationSeconds = 2;

/** From the approval of a change until every node runs it and has proved it: three nodes against one, in turn in one run. */
export async function* seedClusterMeasures(): AsyncGenerator<Measure> {
  const postgres = await startPostgres();
  const fleets: RunningService[][] = [];
  try {
    for (const count of [1, 3]) fleets.push(await startNodes(count, await postgres.database()));
    const [one = [], three = []] = fleets;
    for (const fleet of [one, three]) await rollOut(fleet);
    const { ours: ofThree, other: ofOne } = await inTurn(
      rounds,
      () => rollOut(three),
      () => rollOut(one),
    );
    yield {
      name: "seed agent: until three nodes run a new version, to one node",
      ...{ value: ofThree / ofOne, unit: "ratio", bar },
      detail: `three ${ofThree.toFixed(1)} s, one ${ofOne.toFixed(1)} s, with a probation of ${probationSeconds} s each`,
    };
  } finally {
    await Promise.all(fleets.flat().map((service) => service.stop()));
    fleets.flat().map(removeFolder);
    await postgres.close();
  }
}

async function startNodes(count: number, databaseUrl: string): Promise<RunningService[]> {
  const ports = await Promise.all(Array.from({ length: count }, () => freePort()));
  const [token, cookie] = [randomBytes(24).toString("hex"), randomBytes(24).toString("hex")];
  const env = {
    ...{ DATABASE_URL: databaseUrl, RELEASE_COOKIE: cookie, SEED_PROBATION_SECONDS: String(probationSeconds) },
    SEED_PEERS: ports.map((port) => `127.0.0.1:${port}`).join(","),
  };
  return await Promise.all(
    ports.map((port, index) => startSeedService({ port, token, env: { ...env, SEED_NODE: `n${index}` } })),
  );
}

let number = 0;

/** @returns how long it took, in seconds, without its checks */
async function rollOut(fleet: readonly RunningService[]): Promise<number> {
  const [first] = fleet;
  if (first === undefined) throw new Error("there is no node");
  const text = `/** ${++number} */\nexport const number = ${number};\n`;
  const { id } = await first.client.submit({ files: { "number.ts": text }, summary: "Count", answers: "same" });
  const { version } = await first.becomes(id, "waiting");
  const start = performance.now();
  await first.client.approve(id);
  await first.becomes(id, "active");
  for (;;) {
    const { nodes } = await first.client.status();
    if (nodes.every(({ active, problem }) => active === version && problem === undefined)) break;
    await sleep(20);
  }
  return (performance.now() - start) / 1000;
}
