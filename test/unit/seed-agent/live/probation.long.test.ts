import { expect, test } from "vitest";
import { type CallContext, HostError } from "../../../../components/seed-agent/program/hot-reload/version-host.ts";
import { type Call, type Code, get, liveLab, ok, recorded, versionOf } from "../../../support/seed-live.ts";

const until = async (condition: () => boolean) => await expect.poll(condition).toBe(true);

test("a version that was slow for a moment, as the one before was, passes its probation", async () => {
  let isBusy = false;
  const handle = async (_: unknown, __: unknown, { count }: { count: number }) => {
    if (count === 20) isBusy = true;
    if (isBusy) await new Promise((resolve) => setTimeout(resolve, 40));
    return ok("right");
  };
  const former = async () => {
    if (isBusy) await new Promise((resolve) => setTimeout(resolve, 40));
    return ok("right");
  };
  const recordings = [recorded("r1", "/a", "right"), recorded("r2", "/b", "right")];
  const code = { v0: { handle: former }, v1: { handle } };
  const { live, disk } = await liveLab({ code, recordings, probationSeconds: 2 });
  await live.activate(versionOf("v1"));
  await until(() => live.probation()?.state !== "under way");
  expect(live.probation()).toMatchObject({ state: "passed" });
  await until(() => disk.lastGood === "v1");
  await live.close();
});

test("a failed answer changes no state, so that the former version can answer in its place", async () => {
  const add = async (given: CallContext, { write }: Call) =>
    write("n", String(Number((await given.read("n")) ?? 0) + 1));
  const v0: Code = {
    async handle(_, given, call) {
      await add(given, call);
      return ok("added");
    },
  };
  const v1: Code = {
    async handle(_, given, call) {
      await add(given, call);
      return { status: 503, headers: {}, body: "" };
    },
  };
  const { live, state } = await liveLab({ code: { v0, v1 } });
  await live.activate(versionOf("v1"));
  expect(await live.handle(get())).toMatchObject(ok("added"));
  expect(state.get("n")).toBe("1");
  await live.close();
});

test("a service that ends in the middle of a probation's check rolls nothing back", async () => {
  let isSlow = false;
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const handle = async () => {
    if (isSlow) {
      asked.resolve();
      await gate.promise;
      throw new HostError("ended", "v1 ended");
    }
    return ok("right");
  };
  const recordings = [recorded("r1", "/a", "right")];
  const { live, disk } = await liveLab({ code: { v0: {}, v1: { handle } }, recordings, probationSeconds: 2 });
  await live.activate(versionOf("v1"));
  isSlow = true;
  await asked.promise;
  const closed = live.close();
  gate.resolve();
  await closed;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect({ active: disk.active, state: live.probation()?.state }).toEqual({ active: "v1", state: "under way" });
});
