/**
 * The seed agent's service as a process of its own, with real fences and SQLite: what a change goes through, while clients
 * ask all the time and none may notice.
 */
import { existsSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { type RunningService, removeFolder, startSeedService } from "../support/seed-agent/service.ts";

const reached = (body: string) =>
  `import type { Handle } from "seed";\nconst handle: Handle = ${body};\nexport default handle;\n`;
/** Answers as v0 does where its tests look, and `GET /more` as well. */
const also = (more: string) => `import type { Handle } from "seed";
import first from "./first.ts";
let count = 0;
const kept: Uint8Array[] = [];
const handle: Handle = async (request, context) => {
  count += 1;
  ${more}
  return await first(request, context);
};
export default handle;
`;

let service: RunningService;

afterEach(async () => {
  await service.stop();
  removeFolder(service);
});

async function changed(more: string, answers: "same" | "may differ" = "same"): Promise<string> {
  const { sources } = await service.client.version((await service.client.status()).active);
  const first = sources["first.ts"] ?? sources["handle.ts"] ?? "";
  const files = { "handle.ts": also(more), "first.ts": first };
  const { id } = await service.client.submit({ files, summary: "Try it", answers });
  return id;
}

async function activated(more: string): Promise<string> {
  const id = await changed(more);
  await service.becomes(id, "waiting");
  await service.client.approve(id);
  return id;
}

/** Asks until the returned function is called. @returns the answers that were not 200 */
function clients(path: string, count: number) {
  let isOver = false;
  let asked = 0;
  const wrong: string[] = [];
  const work = Array.from({ length: count }, async () => {
    while (!isOver) {
      const { status, body } = await service.ask(path).catch((error: unknown) => ({ status: 0, body: String(error) }));
      asked += 1;
      if (status !== 200) wrong.push(`${status} ${body}`);
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(work);
    expect(asked).toBeGreaterThan(10);
    return wrong;
  };
}

test("a change is checked, activated after approval, and kept, while no request fails", async () => {
  service = await startSeedService();
  expect(await service.ask("/")).toEqual({ status: 200, body: "I am a seed agent.\n" });
  const stop = clients("/", 4);
  const id = await activated(`if (request.path === "/more") return { status: 200, body: "more" };`);
  const { version, report } = await service.becomes(id, "active");
  expect(report?.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual(
    expect.arrayContaining(["types passed", "tests passed", "former tests passed", "replay passed"]),
  );
  expect(await stop()).toEqual([]);
  expect(await service.ask("/more")).toEqual({ status: 200, body: "more" });
  expect(await service.client.status()).toMatchObject({ active: version, probation: { state: "passed" } });
  expect((await service.client.audit()).map(({ action }) => action).toReversed()).toEqual([
    ...["submitted", "checked", "approved", "activated"],
  ]);
});

describe("a version that passes its tests and then misbehaves is rolled back, and no request fails", () => {
  test.each([
    ["throws", `throw new Error("bug");`, /requests failed|no longer answers/],
    ["never answers", "await new Promise(() => {});", /requests failed|ended|no longer answers/],
    ["blocks", "for (;;);", /requests failed|ended|no longer answers/],
    ["ends its process", `void Promise.reject(new Error("nobody waits"));`, /ended/],
    ["leaks", "kept.push(new Uint8Array(5e6).fill(count));", /memory|ended|no longer answers/],
    [
      "is slow",
      "for (let turn = 0; turn < 3e8; turn++) Math.sqrt(turn);",
      /answers take|requests failed|ended|no longer answers/,
    ],
    ["lies", `if (request.path === "/") return { status: 200, body: "I am not." };`, /differently than at first/],
  ])("it %s", async (_, more, reason) => {
    service = await startSeedService({ env: { SEED_CALL_SECONDS: "1", SEED_PROBATION_SECONDS: "20" } });
    await service.ask("/");
    await expect.poll(async () => (await service.client.metrics()).includes("seed_agent_requests_total")).toBe(true);
    const id = await activated(`if (count > 600) { ${more} }`);
    const stop = clients("/", 2);
    const change = await service.becomes(id, "rolled-back").catch(async (error) => {
      await stop();
      throw error;
    });
    const wrong = await stop();
    expect(change.reason).toMatch(reason);
    expect(wrong).toEqual([]);
    expect((await service.client.status()).active).toBe("v0");
    expect(await service.ask("/")).toEqual({ status: 200, body: "I am a seed agent.\n" });
  });
});

test("a change that fails is rejected with the reason, and never runs", async () => {
  service = await startSeedService();
  const files = { "handle.ts": reached(`() => ({ status: "200" })`) };
  const { id } = await service.client.submit({ files, summary: "Break the types" });
  const { report, reason } = await service.becomes(id, "rejected");
  expect(reason).toMatch(/^types: .*handle\.ts:2: /);
  const failed = report?.steps.find(({ outcome }) => outcome === "failed");
  expect(failed?.diagnostics[0]).toMatchObject({ file: "handle.ts", line: 2 });
  const wrong = { "handle.ts": reached(`() => ({ status: 200, body: "somebody else" })`) };
  const { id: other } = await service.client.submit({ files: wrong, summary: "Break the tests" });
  expect((await service.becomes(other, "rejected")).reason).toMatch(/^(former )?tests: /);
  expect((await service.client.status()).active).toBe("v0");
});

test("after a kill -9 in probation the probation begins again, and the change ends", async () => {
  service = await startSeedService();
  const id = await activated(`if (request.path === "/more") return { status: 200, body: "more" };`);
  await expect.poll(async () => (await service.client.status()).probation?.state).toBe("under way");
  await service.kill();
  service = await startSeedService({ folder: service.folder, port: service.port, token: service.token });
  expect((await service.client.status()).probation).toMatchObject({ former: "v0" });
  await service.becomes(id, "active");
  expect((await service.ask("/more")).body).toBe("more");
});

test("a corrupt version is moved to set-aside, and copied again from the database", async () => {
  service = await startSeedService();
  const id = await activated(`if (request.path === "/more") return { status: 200, body: "more" };`);
  const { version } = await service.becomes(id, "active");
  await service.stop();
  const { writeFileSync } = await import("node:fs");
  writeFileSync(`${service.folder}/code/versions/${version}/bundle.cjs`, "module.exports = evil");
  service = await startSeedService({ folder: service.folder, port: service.port, token: service.token });
  await expect.poll(async () => (await service.client.status()).active).toBe(version);
  expect((await service.ask("/more")).body).toBe("more");
  expect(existsSync(`${service.folder}/code/set-aside`)).toBe(true);
  expect(service.log()).toContain("was set aside");
});

test("all invalid settings are reported together, and no log contains a secret", async () => {
  service = await startSeedService();
  await expect(startSeedService({ env: { PORT: "http", SEED_MODE: "always", DATABASE_URL: "" } })).rejects.toThrow(
    /ended with 2:.*PORT.*SEED_MODE/s,
  );
  expect(service.log()).not.toContain(service.token);
});

/** `SEED_KILLS=200` for a long run. */
const kills = Number(process.env["SEED_KILLS"] ?? 3);

test(
  `after a kill -9 at any moment of an activation the change ends, and the agent answers (${kills} moments)`,
  async () => {
    const env = { SEED_PROBATION_SECONDS: "0.3" };
    service = await startSeedService({ env });
    await service.becomes(
      await activated(`if (request.path === "/more") return { status: 200, body: "more" };`),
      "active",
    );
    const random = seededRandom(Number(process.env["SEED"] ?? 1));
    const ends: Record<string, number> = {};
    for (let kill = 0; kill < kills; kill++) {
      const before = (await service.client.status()).active;
      const to = before === "v0" ? "v1" : "v0";
      const { id } = await service.client.activate(to);
      await new Promise((resolve) => setTimeout(resolve, random() * 1200));
      await service.kill();
      service = await startSeedService({ folder: service.folder, port: service.port, token: service.token, env });
      let change = await service.client.change(id);
      for (; change.state === "approved" || change.state === "rolling-out"; change = await service.client.change(id)) {
        expect((await service.ask("/")).status).toBe(200);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      ends[change.state] = (ends[change.state] ?? 0) + 1;
      const { active, problem } = await service.client.status();
      expect({ kill, active, problem }).toEqual({
        kill,
        active: change.state === "active" ? to : before,
        problem: undefined,
      });
      expect((await service.ask("/more")).status).toBe(active === "v1" ? 200 : 404);
    }
    expect(Object.keys(ends).filter((state) => state !== "active" && state !== "rolled-back")).toEqual([]);
  },
  60_000 + kills * 30_000,
);

/** mulberry32: the same moments for the same seed. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
