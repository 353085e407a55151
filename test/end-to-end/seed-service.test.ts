/**
 * The seed agent's service as a process of its own, with real fences and SQLite: what a change goes through, while clients
 * ask all the time and none may notice.
 */
import { existsSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
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

const answerMore = `if (request.path === "/more") return { status: 200, body: "more" };`;

let service: RunningService;

/** Starts it again after its end, with the same folder. */
async function startAgain(env: Readonly<Record<string, string>> = {}): Promise<void> {
  const { folder, port, token } = service;
  service = await startSeedService({ folder, port, token, env });
}

async function end(): Promise<void> {
  await service.stop();
  removeFolder(service);
}

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

/** `SEED_KILLS=200` for a long run. */
const kills = Number(process.env["SEED_KILLS"] ?? 3);

describe("a service, from its first change to its last", () => {
  // The tests build on each other.
  beforeAll(async () => {
    service = await startSeedService();
  });
  afterAll(end);

  test("a change is checked, activated after approval, and kept, while no request fails", async () => {
    expect(await service.ask("/")).toEqual({ status: 200, body: "I am a seed agent.\n" });
    const stop = clients("/", 4);
    const id = await activated(answerMore);
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

  test("a change that fails is rejected with the reason, and never runs", async () => {
    const { active } = await service.client.status();
    const files = { "handle.ts": reached(`() => ({ status: "200" })`) };
    const { id } = await service.client.submit({ files, summary: "Break the types" });
    const { report, reason } = await service.becomes(id, "rejected");
    expect(reason).toMatch(/^types: .*handle\.ts:2: /);
    const failed = report?.steps.find(({ outcome }) => outcome === "failed");
    expect(failed?.diagnostics[0]).toMatchObject({ file: "handle.ts", line: 2 });
    const wrong = { "handle.ts": reached(`() => ({ status: 200, body: "somebody else" })`) };
    const { id: other } = await service.client.submit({ files: wrong, summary: "Break the tests" });
    expect((await service.becomes(other, "rejected")).reason).toMatch(/^(former )?tests: /);
    expect((await service.client.status()).active).toBe(active);
  });

  test("after a kill -9 in probation the probation begins again, and the change ends", async () => {
    const { active: former } = await service.client.status();
    const id = await activated(`${answerMore} if (request.path === "/other") return { status: 200, body: "other" };`);
    await expect.poll(async () => (await service.client.status()).probation?.state).toBe("under way");
    await service.kill();
    await startAgain();
    expect((await service.client.status()).probation).toMatchObject({ former });
    await service.becomes(id, "active");
    expect((await service.ask("/other")).body).toBe("other");
  });

  test("a corrupt version is moved to set-aside, and copied again from the database", async () => {
    const { active: version } = await service.client.status();
    await service.stop();
    writeFileSync(`${service.folder}/code/versions/${version}/bundle.cjs`, "module.exports = evil");
    await startAgain();
    await expect.poll(async () => (await service.client.status()).active).toBe(version);
    expect((await service.ask("/more")).body).toBe("more");
    expect(existsSync(`${service.folder}/code/set-aside`)).toBe(true);
    expect(service.log()).toContain("was set aside");
  });

  test("all invalid settings are reported together, and no log contains a secret", async () => {
    await expect(startSeedService({ env: { PORT: "http", SEED_MODE: "always", DATABASE_URL: "" } })).rejects.toThrow(
      /ended with 2:.*PORT.*SEED_MODE/s,
    );
    expect(service.log()).not.toContain(service.token);
  });

  test(
    `after a kill -9 at any moment of an activation the change ends, and the agent answers (${kills} moments)`,
    async () => {
      const env = { SEED_PROBATION_SECONDS: "0.3" };
      await service.stop();
      await startAgain(env);
      const random = seededRandom(Number(process.env["SEED"] ?? 1));
      const ends: Record<string, number> = {};
      for (let kill = 0; kill < kills; kill++) {
        const before = (await service.client.status()).active;
        const to = before === "v0" ? "v1" : "v0";
        const { id } = await service.client.activate(to);
        await new Promise((resolve) => setTimeout(resolve, random() * 1200));
        await service.kill();
        await startAgain(env);
        let change = await service.client.change(id);
        for (
          ;
          change.state === "approved" || change.state === "rolling-out";
          change = await service.client.change(id)
        ) {
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
        expect((await service.ask("/more")).status).toBe(active === "v0" ? 404 : 200);
      }
      expect(Object.keys(ends).filter((state) => state !== "active" && state !== "rolled-back")).toEqual([]);
    },
    60_000 + kills * 30_000,
  );
});

describe("a version that passes its tests and then misbehaves is rolled back, and no request fails", () => {
  // One after another on one service: what one version did must not help or harm the next.
  beforeAll(async () => {
    service = await startSeedService({ env: { SEED_CALL_SECONDS: "1", SEED_PROBATION_SECONDS: "20" } });
    await service.ask("/");
    await vi.waitUntil(async () => (await service.client.metrics()).includes("seed_agent_requests_total"), 15_000);
  });
  afterAll(end);

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
