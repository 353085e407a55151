import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type FiringApp, missedFires } from "../../../../components/cron/modal/missed-fires.ts";
import {
  type RunsVolume,
  readLastRemoteRuns,
  readRemoteRun,
  readRemoteRuns,
} from "../../../../components/cron/modal/remote-runs.ts";
import { volumeInMemory } from "../../../support/volume-in-memory.ts";

const at = (text: string) => new Date(`2026-11-${text}Z`);
const app: FiringApp = {
  name: "elf",
  schedule: "0 3 * * *",
  timezone: "UTC",
  enabled: true,
  appName: "changeling_dev_elf",
  environment: "mngr-me",
  deployedAt: at("10T12:00:00").getTime() / 1000,
};
const missed = (given: Partial<FiringApp>, last: Date | undefined, now: Date) =>
  missedFires({ ...app, ...given }, last, now).map(({ firedAt }) => firedAt.slice(8, 16));

describe("missedFires", () => {
  it.each<[string, Partial<FiringApp>, Date | undefined, Date, string[]]>([
    ["each night since the deployment", {}, undefined, at("12T04:00:00"), ["11T03:00", "12T03:00"]],
    ["each night since the last record", {}, at("11T03:00:09"), at("12T04:00:00"), ["12T03:00"]],
    ["nothing for a record that came late", {}, at("12T03:14:00"), at("12T04:00:00"), []],
    ["nothing for a record that came early", {}, at("12T02:59:59"), at("12T04:00:00"), []],
    ["nothing that may still come", {}, at("11T03:00:09"), at("12T03:19:00"), []],
    ["nothing of one that is paused", { enabled: false }, undefined, at("12T04:00:00"), []],
    ["nothing right after a deployment", {}, undefined, at("10T12:30:00"), []],
    [
      "the newest of many",
      { schedule: "*/5 * * * *" },
      undefined,
      at("12T00:20:00"),
      ["11T23:40", "11T23:45", "11T23:50", "11T23:55", "12T00:00"],
    ],
    ["one of a rare schedule", { schedule: "0 3 11 * *" }, undefined, at("28T00:00:00"), ["11T03:00"]],
    ["times in its zone", { timezone: "Europe/Berlin" }, undefined, at("11T03:00:00"), ["11T02:00"]],
  ])("finds %s", (_, given, last, now, expected) => expect(missed(given, last, now)).toEqual(expected));
});

describe("runs that left no record", () => {
  const now = at("20T12:34:56").getTime();
  const name = "elf";
  const stamp = (ago: number) => new Date(now - ago * 1000).toISOString().slice(0, 19).replace(/[T:]/g, "-");
  const id = `${name}-${stamp(7200)}`;
  const skipped = { event: "skipped", at: new Date(now - 7_200_000).toISOString(), changeling: name, id };
  const record = JSON.stringify({ ...skipped, cause: { kind: "manual" }, reason: "busy" });
  const { client } = volumeInMemory({ [`${name}/${id}/skipped.json`]: record });
  const volume = { client, environment: "mngr-me", volume: "changelings_dev_runs" } as RunsVolume;
  // Due every minute until 20 minutes ago, and never seen since two hours ago.
  const firing = [{ ...app, schedule: "* * * * *", deployedAt: now / 1000 - 86_400 }];
  const timeout = () => 3600;

  beforeEach(() => void vi.useFakeTimers({ now, toFake: ["Date"] }));
  afterEach(() => void vi.useRealTimers());

  it("are listed as failed ones, newest first, and count as the last", async () => {
    const runs = await readRemoteRuns(volume, timeout, { firing });
    expect(runs.map(({ outcome }) => outcome)).toEqual([...Array(5).fill("failed"), "skipped"]);
    expect(runs[0]?.reason).toMatch(
      /^its function left no record: it could not start, or Modal did not call it; see: /,
    );
    expect(await readLastRemoteRuns(volume, timeout, firing)).toEqual([runs[0]]);
    expect(await readRemoteRun(volume, timeout, { changeling: name, id: runs[2]?.id ?? "" }, firing)).toEqual(runs[2]);
    expect(await readRemoteRuns(volume, timeout, { firing, limit: 2 })).toEqual(runs.slice(0, 2));
    expect(await readRemoteRuns(volume, timeout, { firing, name: "other" })).toEqual([]);
  });
});
