import { constants, getPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { isAlive } from "../../../../components/lib/process.ts";
import { firstVersion } from "../../../../components/seed-agent/program/hot-reload/first-version.ts";
import { versionHosts } from "../../../../components/seed-agent/program/hot-reload/host.ts";
import { fences } from "../../../support/seed-agent/fences.ts";
import { aRequest, given, handler, limits, run } from "../../../support/seed-agent/versions.ts";

const logged = "console.log('a', 1); context.log('b'); return { status: 200 }";

describe.for(await fences())("a version behind $name", (fence) => {
  test("answers as the first version", async () => {
    const host = await versionHosts(fence)(await firstVersion(), limits);
    try {
      expect(await host.handle(aRequest(), given())).toMatchObject({
        response: { status: 200, headers: {}, body: "I am a seed agent.\n" },
        writes: {},
        reads: {},
      });
      const visits = await host.handle(aRequest({ path: "/visits" }), given({ state: { visits: "41" } }));
      expect(visits.writes).toEqual({ visits: "42" });
      expect(visits.reads).toEqual({ visits: "41" });
      expect(JSON.parse(visits.response.body)).toEqual({ visits: 42, at: "1970-01-01T00:00:00.000Z" });
      expect(await host.memory()).toBeGreaterThan(10_000_000);
    } finally {
      await host.end();
    }
    expect(await host.memory()).toBe(0);
    // Its new parent may not have noticed its end yet.
    await expect.poll(() => isAlive(host.pid)).toBe(false);
  });

  test("has a lower priority if it is only checked", async () => {
    const tried = await versionHosts(fence)(await firstVersion(), { ...limits, isBackground: true });
    const serving = await versionHosts(fence)(await firstVersion(), limits);
    try {
      expect(getPriority(tried.pid)).toBe(constants.priority.PRIORITY_LOW);
      expect(getPriority(serving.pid)).toBe(getPriority());
    } finally {
      await Promise.all([tried.end(), serving.end()]);
    }
  });

  test("gets its clock and random numbers from each call, also from concurrent calls", async () => {
    await using host = await run(
      handler(`
        await new Promise((resolve) => setTimeout(resolve, 20));
        const body = [context.now(), Date.now(), new Date().getTime(), new Date(5).getTime(), Date(),
          new Intl.DateTimeFormat("en", { dateStyle: "short" }).format(), new Date() instanceof Date,
          context.random(), Math.random()].join();
        return { status: 200, body };`),
      fence,
    );
    const call = async (now: number, seed: number) =>
      (await host.handle(aRequest(), given({ now, seed }))).response.body;
    const bodies = await Promise.all([call(1000, 1), call(2000, 1), call(1000, 1), call(1000, 2)]);
    expect(bodies[0]).toMatch(
      /^1000,1000,1000,5,Thu Jan 01 1970 00:00:01 GMT\+0000 \([^)]*\),1\/1\/70,true,0\.\d+,0\.\d+$/,
    );
    expect(bodies[1]).toMatch(/^2000,2000,2000,5,/);
    expect(bodies[2]).toBe(bodies[0]);
    expect(bodies[3]).not.toBe(bodies[0]);
  });

  test("logs, with a limit", async () => {
    await using host = await run(handler(logged), fence);
    const lines: string[] = [];
    await host.handle(aRequest(), given({ log: (line) => lines.push(line) }));
    expect(lines).toEqual(["a 1", "b"]);
    await using chatty = await run(
      handler("for (let n = 0; n < 1000; n++) console.log(n); return { status: 200 }"),
      fence,
    );
    lines.length = 0;
    await chatty.handle(aRequest(), given({ log: (line) => lines.push(line) }));
    expect(lines).toHaveLength(100);
  });

  test("sees its own writes, and deletes", async () => {
    await using host = await run(
      handler(`
        await context.state.set("a", "1");
        await context.state.set("b", undefined);
        return { status: 200, body: JSON.stringify([await context.state.get("a"), await context.state.get("b") ?? null]) };`),
      fence,
    );
    const { response, writes, reads } = await host.handle(aRequest(), given({ state: { b: "2" } }));
    expect(JSON.parse(response.body)).toEqual(["1", null]);
    expect(writes).toEqual({ a: "1", b: undefined });
    expect(reads).toEqual({});
  });

  test("gets one value of a key, also if it reads it twice at the same time", async () => {
    await using host = await run(
      handler(`
        const values = await Promise.all([context.state.get("a"), context.state.get("a")]);
        return { status: 200, body: values.join() };`),
      fence,
    );
    let count = 0;
    const read = async () => {
      const value = String(++count);
      await sleep(100);
      return value;
    };
    const { response, reads } = await host.handle(aRequest(), given({ read }));
    expect({ body: response.body, reads }).toEqual({ body: "1,1", reads: { a: "1" } });
  });

  test("reports an error with its line in the source", async () => {
    await using host = await run(handler('\nthrow new TypeError("no such word")', "// first line"), fence);
    await expect(host.handle(aRequest(), given())).rejects.toMatchObject({
      code: "threw",
      message: "TypeError: no such word (handle.ts:4)",
    });
  });

  test("does not start if it throws at import, has no handle, or never ends", async () => {
    await expect(run({ "handle.ts": "throw new Error('at import'); export default 1;" }, fence)).rejects.toMatchObject({
      code: "did not start",
      message: "Error: at import (handle.ts:1)",
    });
    await expect(run({ "handle.ts": "export default 1;" }, fence)).rejects.toThrow("handle.ts has no default export");
    const endless = run({ "handle.ts": "for (;;); export default 1;" }, fence, { startMilliseconds: 1500 });
    await expect(endless).rejects.toMatchObject({ code: "did not start", message: "it was not ready within 1500 ms" });
  });

  test("is killed when a call takes too long, and the other calls end with it", async () => {
    await using host = await run(
      handler("if (request.path === '/loop') for (;;); await new Promise(() => {})"),
      fence,
      { callMilliseconds: 1000 },
    );
    const waiting = host.handle(aRequest(), given()).catch((error) => error.code);
    await sleep(300);
    await expect(host.handle(aRequest({ path: "/loop" }), given())).rejects.toMatchObject({
      code: expect.stringMatching(/timeout|ended/),
    });
    expect(await waiting).toBe("timeout");
    expect((await host.ended).reason).toBe("a call had no answer within 1000 ms");
    await expect(host.handle(aRequest(), given())).rejects.toMatchObject({ code: "ended" });
  });

  test("rejects more than 100 calls at once", async () => {
    await using host = await run(
      handler("await new Promise((done) => setTimeout(done, 300)); return { status: 200 }"),
      fence,
    );
    const calls = await Promise.allSettled(Array.from({ length: 101 }, () => host.handle(aRequest(), given())));
    expect(calls.filter(({ status }) => status === "fulfilled")).toHaveLength(100);
    expect(calls.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "busy" } });
  });

  test("lets current calls finish when it ends", async () => {
    await using host = await run(
      handler("await new Promise((done) => setTimeout(done, 200)); return { status: 201 }"),
      fence,
    );
    const call = host.handle(aRequest(), given());
    await host.end(5000);
    expect((await call).response.status).toBe(201);
    expect((await host.ended).reason).toBe("it was ended by the service");
  });

  test("has checks and a plan, if it has them", async () => {
    const sources = {
      ...handler("return { status: 200 }"),
      "checks.ts": "export default () => [{ name: 'words', ok: false, detail: 'none' }];",
      "plan.ts": "export default ({ goal }: any) => goal === '' ? undefined : 'do ' + goal;",
    };
    await using host = await run(sources, fence);
    expect(await host.checks(given())).toEqual([{ name: "words", ok: false, detail: "none" }]);
    expect(await host.plan({ goal: "more" }, given())).toBe("do more");
    expect(await host.plan({ goal: "" }, given())).toBeUndefined();
    await using bare = await run(handler("return { status: 200 }"), fence);
    expect(await bare.checks(given())).toEqual([]);
    expect(await bare.plan({}, given())).toBeUndefined();
  });
});
