import { describe, expect, test } from "vitest";
import { HostError } from "../../../../components/seed-agent/program/hot-reload/version-host.ts";
import { StoreUnavailable } from "../../../../components/seed-agent/program/store/store.ts";
import { get, liveLab, ok, recorded, versionOf } from "../../../support/seed-live.ts";

const until = async (condition: () => boolean) => await expect.poll(condition).toBe(true);

describe("a new version", () => {
  test("answers as soon as it is activated, while the former one stays warm", async () => {
    const { live, started, ended, disk } = await liveLab({ code: { v0: {}, v1: {} } });
    await live.activate(versionOf("v1"));
    expect((await live.handle(get())).body).toBe("v1");
    expect(live.probation()).toMatchObject({ version: "v1", former: "v0", state: "under way" });
    expect({ started, ended, active: disk.active }).toEqual({ started: ["v0", "v1"], ended: [], active: "v1" });
    await live.close();
    expect(ended.toSorted()).toEqual(["v0", "v1"]);
  });

  test("that does not start changes nothing", async () => {
    const { live, disk, reloads } = await liveLab({ code: { v0: {}, v1: { broken: "it throws at import" } } });
    await expect(live.activate(versionOf("v1"))).rejects.toThrow("it throws at import");
    expect((await live.handle(get())).body).toBe("v0");
    expect({ active: disk.active, reloads }).toEqual({ active: "v0", reloads: ["activate v1 failed"] });
  });

  test("is kept when its probation is over, and the former one is ended", async () => {
    const { live, ended, disk } = await liveLab({ code: { v0: {}, v1: {} }, probationSeconds: 0.2 });
    await live.activate(versionOf("v1"));
    await until(() => live.probation()?.state === "passed" && disk.good);
    expect({ ended, lastGood: disk.lastGood }).toEqual({ ended: ["v0"], lastGood: "v1" });
    await live.close();
  });

  test("ends the probation of the one before", async () => {
    const { live, ended } = await liveLab({ code: { v0: {}, v1: {}, v2: {} } });
    await live.activate(versionOf("v1"));
    await live.activate(versionOf("v2"));
    expect(ended).toEqual(["v0"]);
    expect(live.probation()).toMatchObject({ version: "v2", former: "v1" });
    await live.close();
  });
});

test("a version in probation can still be reverted after the activation of another one failed", async () => {
  const { live, disk } = await liveLab({ code: { v0: {}, v1: {}, v2: { broken: "it throws at import" } } });
  await live.activate(versionOf("v1"));
  await expect(live.activate(versionOf("v2"))).rejects.toThrow("it throws at import");
  expect(await live.revert("it is slow")).toBe("v0");
  expect({ body: (await live.handle(get())).body, active: disk.active }).toEqual({ body: "v0", active: "v0" });
  await live.close();
});

test("a version that misbehaves before any client asks it is not switched to", async () => {
  const handle = (_: unknown, __: unknown, { count }: { count: number }) => ok(count > 50 ? "wrong" : "right");
  const recordings = [recorded("r1", "/a", "right")];
  const { live, ended } = await liveLab({ code: { v0: {}, v1: { handle } }, recordings });
  await expect(live.activate(versionOf("v1"))).rejects.toThrow("it answers GET /a differently than at first");
  expect({ active: live.active, ended }).toEqual({ active: "v0", ended: ["v1"] });
  await live.close();
});

describe("a version that misbehaves in probation is rolled back by the node itself, and no client sees it", () => {
  const misbehaving = {
    "it throws": { handle: () => Promise.reject(new Error("bug")) },
    "it answers 500": { handle: () => ({ status: 500, headers: {}, body: "" }) },
    "it crashes": { handle: (_: unknown, __: unknown, { crash }: { crash: () => never }) => crash() },
  } as const;
  for (const [name, code] of Object.entries(misbehaving)) {
    test(name, async () => {
      const { live, disk, ended } = await liveLab({ code: { v0: {}, v1: code }, probationSeconds: 3 });
      await live.activate(versionOf("v1"));
      for (let count = 0; count < 5; count++) expect(await live.handle(get())).toMatchObject(ok("v0"));
      await until(() => live.active === "v0");
      expect(live.probation()).toMatchObject({ state: "failed", version: "v1" });
      await until(() => ended.includes("v1"));
      expect(disk.active).toBe("v0");
      await live.close();
    });
  }

  test("its memory grows", async () => {
    const { live } = await liveLab({ code: { v0: {}, v1: { memory: 230 * 1024 ** 2 } }, probationSeconds: 3 });
    await live.activate(versionOf("v1"));
    await until(() => live.active === "v0");
    expect(live.probation()?.reason).toContain("230 MiB");
    await live.close();
  });

  test("its check fails, although nobody calls it", async () => {
    const code = { v0: {}, v1: { checks: () => [{ name: "queue", ok: false }] } };
    const { live } = await liveLab({ code, probationSeconds: 3 });
    await live.activate(versionOf("v1"));
    await until(() => live.active === "v0");
    expect(live.probation()?.reason).toBe("its check fails: queue");
    await live.close();
  });

  test("it answers a recorded request differently after a while", async () => {
    const code = {
      v0: {},
      v1: { handle: (_: unknown, __: unknown, { count }: { count: number }) => ok(count > 310 ? "wrong" : "right") },
    };
    const recordings = [recorded("r1", "/a", "right"), recorded("r2", "/b", "right")];
    const { live } = await liveLab({ code, recordings, probationSeconds: 3 });
    await live.activate(versionOf("v1"));
    await until(() => live.active === "v0");
    expect(live.probation()?.reason).toMatch(/^it answers GET \/[ab] differently than at first$/);
    await live.close();
  });

  test("it becomes slow, although nobody calls it", async () => {
    const slowly = async () => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      return ok("right");
    };
    const recordings = [recorded("r1", "/a", "right"), recorded("r2", "/b", "right")];
    const { live } = await liveLab({ code: { v0: {}, v1: { handle: slowly } }, recordings, probationSeconds: 6 });
    await live.activate(versionOf("v1"));
    await until(() => live.active === "v0");
    expect(live.probation()?.reason).toMatch(/^half of its answers take \d\d+ ms/);
    await live.close();
  });
});

test("a version that was rolled back here is refused for a while", async () => {
  const { live } = await liveLab({ code: { v0: {}, v1: {} } });
  await live.activate(versionOf("v1"));
  expect(await live.revert("a peer is not healthy")).toBe("v0");
  await expect(live.activate(versionOf("v1"))).rejects.toThrow("this node gave it up: a peer is not healthy");
});

describe("a process that ends", () => {
  test("is restarted, and the requests that it interrupted are answered", async () => {
    let crashes = 0;
    const handle = (_: unknown, __: unknown, { crash }: { crash: () => never }) =>
      crashes++ === 0 ? crash() : ok("again");
    const { live, started } = await liveLab({ code: { v0: { handle } } });
    expect(await live.handle(get())).toMatchObject(ok("again"));
    expect(started).toEqual(["v0", "v0"]);
    await live.close();
  });

  test("again and again is given up for the last good version", async () => {
    const handle = (_: unknown, __: unknown, { crash }: { crash: () => never }) => crash();
    const lab = await liveLab({ code: { v0: {}, v1: { handle }, v2: {} }, active: "v1", lastGood: "v2" });
    for (let count = 0; count < 10; count++) await lab.live.handle(get());
    expect((await lab.live.handle(get())).body).toBe("v2");
    expect(lab.fallbacks).toEqual(["v1 → v2: its process kept ending: it crashed"]);
    await expect(lab.live.activate(versionOf("v1"))).rejects.toThrow(HostError);
    await lab.live.close();
  });
});

describe("at its start a node boots", () => {
  test("the active version", async () => {
    const { live } = await liveLab({ code: { v0: {}, v1: {} }, active: "v1", lastGood: "v1" });
    expect(live.active).toBe("v1");
    await live.close();
  });

  test("the last good one in a crash loop", async () => {
    const code = { v0: {}, v1: {}, v2: {} };
    const lab = await liveLab({ code, active: "v2", lastGood: "v1", isGood: false, starts: 4 });
    expect(lab.live.active).toBe("v1");
    expect(lab.disk.active).toBe("v1");
    expect(lab.fallbacks).toEqual(["v2 → v1: the service did not stay up after 4 starts"]);
    await lab.live.close();
    const good = await liveLab({ code, active: "v2", lastGood: "v1", starts: 4 });
    expect(good.live.active).toBe("v2");
    await good.live.close();
    const hopeless = await liveLab({ code, active: "v2", lastGood: "v1", starts: 11 });
    expect(hopeless.live.active).toBe("v1");
    await hopeless.live.close();
  });

  test("the last good one if the active one does not start, and v0 if neither does", async () => {
    const broken = { broken: "no" };
    const one = await liveLab({ code: { v0: {}, v1: {}, v2: broken }, active: "v2", lastGood: "v1" });
    expect(one.live.active).toBe("v1");
    const other = await liveLab({ code: { v0: {}, v1: broken, v2: broken }, active: "v2", lastGood: "v1" });
    expect(other.live.active).toBe("v0");
    await Promise.all([one.live.close(), other.live.close()]);
  });

  test("the last good one if a version on probation misbehaves before any client asks it", async () => {
    const handle = (_: unknown, __: unknown, { count }: { count: number }) => ok(count > 50 ? "wrong" : "right");
    const recordings = [recorded("r1", "/a", "right")];
    const code = { v0: {}, v1: { handle } };
    const lab = await liveLab({ code, recordings, active: "v1", lastGood: "v0", isGood: false });
    expect(lab.live.active).toBe("v0");
    expect(lab.fallbacks).toEqual(["v1 → v0: it answers GET /a differently than at first"]);
    await lab.live.close();
    expect(lab.started.toSorted()).toEqual(lab.ended.toSorted());
  });

  test("a version that was on probation when the node died, on probation again", async () => {
    const lab = await liveLab({ code: { v0: {}, v1: {} }, active: "v1", lastGood: "v0", isGood: false });
    expect(lab.live.probation()).toMatchObject({ version: "v1", former: "v0", state: "under way" });
    await lab.live.close();
  });
});

describe("a request is a transaction over the agent's state", () => {
  const count = {
    handle: async (
      _: unknown,
      given: { read: (key: string) => Promise<string | undefined> },
      call: { write: (key: string, value: string) => void },
    ) => {
      const before = Number((await given.read("visits")) ?? 0);
      await new Promise((resolve) => setTimeout(resolve, 1));
      call.write("visits", String(before + 1));
      return ok(String(before + 1));
    },
  };

  test("none of 5 at once is lost", async () => {
    const { live, state } = await liveLab({ code: { v0: count } });
    const answers = await Promise.all(Array.from({ length: 5 }, () => live.handle(get())));
    expect(answers.map(({ body }) => body).toSorted()).toEqual(["1", "2", "3", "4", "5"]);
    expect(state.get("visits")).toBe("5");
    await live.close();
  });

  test("a key may be the name of a property that every object inherits", async () => {
    const code = {
      handle: async (
        _: unknown,
        given: { read: (key: string) => Promise<string | undefined> },
        call: { write: (key: string, value: string) => void },
      ) => {
        call.write("read", typeof (await given.read("constructor")));
        return ok("done");
      },
    };
    const { live, state } = await liveLab({ code: { v0: code } });
    expect(await live.handle(get())).toEqual(ok("done"));
    expect(state.get("read")).toBe("undefined");
    await live.close();
  });

  test("a store that is away is not the version's fault", async () => {
    const lab = await liveLab({ code: { v0: {}, v1: count } });
    await lab.live.activate(versionOf("v1"));
    lab.store.stateGet = async () => {
      throw new StoreUnavailable("the database can't be reached");
    };
    for (let tries = 0; tries < 5; tries++) await lab.live.handle(get());
    expect(lab.live.probation()).toMatchObject({ errors: 0, state: "under way" });
    expect(lab.live.signals()).toEqual([]);
    await lab.live.close();
  });
});

describe("a process that clients keep busy", () => {
  const busy = (): never => {
    throw new HostError("busy", "100 calls are under way");
  };

  test("is not the version's fault: it passes its probation", async () => {
    const code = {
      v0: {},
      v1: {
        handle: (_: unknown, __: unknown, { count }: { count: number }) => (count === 1 ? ok("right") : busy()),
        checks: busy,
      },
    };
    const lab = await liveLab({ code, recordings: [recorded("r1", "/a", "right")], probationSeconds: 0.3 });
    await lab.live.activate(versionOf("v1"));
    await until(() => lab.live.probation()?.state !== "under way");
    expect(lab.live.probation()).toMatchObject({ version: "v1", state: "passed", errors: 0 });
    await lab.live.close();
  });

  test("is a 503 for a client, and no signal", async () => {
    const { live } = await liveLab({ code: { v0: { handle: busy } } });
    expect(await live.handle(get())).toMatchObject({ status: 503, body: "100 calls are under way\n" });
    expect(live.signals()).toEqual([]);
    await live.close();
  });
});

test("errors and slow answers are signals, counted", async () => {
  const { live } = await liveLab({ code: { v0: { handle: () => Promise.reject(new Error("bug")) } } });
  await live.handle(get("/a"));
  await live.handle(get("/a"));
  expect(live.signals()).toMatchObject([
    { kind: "error", count: 2, summary: "GET /a: Error: bug", request: get("/a") },
  ]);
  await live.close();
});

test("answers are recorded with everything that they depended on", async () => {
  const { live, records } = await liveLab({ code: { v0: {} } });
  await live.handle(get("/a"));
  expect(records).toMatchObject([{ version: "v0", request: get("/a"), response: ok("v0"), state: {} }]);
  expect(records[0]?.at).toBe(new Date(records[0]?.now ?? 0).toISOString());
  await live.close();
});
