import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { durationSeconds } from "../../../components/lib/duration.ts";
import { placeholderArguments } from "../../../components/mngr/machine-arguments.ts";
import { nothingOnModal } from "../../../components/modal/observe.ts";
import {
  durationText,
  isYoung,
  type SnapshotNeed,
  snapshotDrift,
  snapshotLabel,
  snapshotNeeds,
} from "../../../components/source/snapshot.ts";

const declaration = { repo: "https://github.com/me/app.git", branch: "main", template: undefined, buildArgs: [] };
const need = (changes: Partial<SnapshotNeed> = {}): SnapshotNeed => ({
  ...declaration,
  maxAgeSeconds: undefined,
  ...changes,
});

describe("a snapshot's label", () => {
  test("is determined by each part of its declaration, and by nothing else", () => {
    const others = [
      { repo: "https://github.com/me/app" },
      { branch: "next" },
      { template: "warm" },
      { buildArgs: ["cpu=2"] },
      { buildArgs: ["cpu=2", "memory=4"] },
      { buildArgs: ["memory=4", "cpu=2"] },
    ].map((change) => snapshotLabel({ ...declaration, ...change }));
    expect(new Set([snapshotLabel(declaration), ...others]).size).toBe(others.length + 1);
    expect(snapshotLabel(need({ maxAgeSeconds: 7 }))).toBe(snapshotLabel(declaration));
    expect(snapshotLabel(declaration)).toMatch(/^[0-9a-f]{16}$/);
  });

  test("holds one need, with the shortest age that somebody wants", () => {
    const needs = snapshotNeeds([
      need({ maxAgeSeconds: 700 }),
      need(),
      need({ maxAgeSeconds: 300 }),
      need({ branch: "next" }),
    ]);
    expect([...needs.values()]).toEqual([need({ maxAgeSeconds: 300 }), need({ branch: "next" })]);
    expect([...needs.keys()]).toEqual([snapshotLabel(declaration), snapshotLabel(need({ branch: "next" }))]);
  });
});

describe("a snapshot's drift", () => {
  const now = new Date("2026-11-21T06:00:00Z");
  const seconds = now.getTime() / 1000;
  const observed = (ago: number, hasImage = true) => ({
    ...nothingOnModal,
    snapshots: new Map([["label", { recordedAt: seconds - ago, hasImage }]]),
  });
  const day = 86_400;

  test.each([
    ["nobody knows", undefined, 7 * day, undefined],
    ["it is gone", nothingOnModal, undefined, "its snapshot is missing"],
    ["its image is gone", observed(0, false), 7 * day, "the image of its snapshot was deleted"],
    ["it never gets too old", observed(1000 * day), undefined, undefined],
    ["it is young", observed(7 * day - 1), 7 * day, undefined],
    ["it is too old", observed(8.9 * day), 7 * day, "the snapshot is 8 days old, older than 7d"],
    ["it is just too old", observed(day), day, "the snapshot is 1 day old, older than 1d"],
    ["it is too old in hours", observed(5 * 3600), 90 * 60, "the snapshot is 5 hours old, older than 90m"],
    ["its clock is ahead", observed(-60), day, undefined],
  ])("%s", (_, known, maxAge, words) => {
    expect(snapshotDrift("label", maxAge, known, now)).toBe(words);
  });

  test("is what its script sees too", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 * day }), fc.integer({ min: 0, max: 200 * day }), (maxAge, ago) => {
        const record = { imageId: "im-1", createdAt: new Date(now.getTime() - ago * 1000).toISOString() };
        const isTooOld = snapshotDrift("label", maxAge, observed(ago), now) !== undefined;
        expect(isYoung({ ...record, repo: "", branch: "" }, maxAge, now)).toBe(!isTooOld);
      }),
    );
  });
});

test("an age is written as the fleet file has it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 - 1 }), (age) => {
      expect(durationSeconds(durationText(age))).toBe(age);
    }),
  );
  expect([90_000, 604_800, 86_400, 7200, 60, 61].map(durationText)).toEqual(["25h", "7d", "1d", "2h", "1m", "61s"]);
});

test("a placeholder is made by one mngr create, with nothing of the declaration as an option's name", () => {
  expect(
    placeholderArguments({
      name: "placeholder-1",
      labels: { CREATOR: "changeling", a: "b" },
      source: "/tmp/source",
      hostEnvFile: "/dev/fd/3",
      timeoutSeconds: 60,
      prepare: "true",
      template: "warm",
      buildArgs: ["cpu=2"],
    }),
  ).toEqual([
    ...["create", "placeholder-1@placeholder-1.modal", "--new-host", "--type", "command"],
    ...["--no-connect", "--headless", "--yes", "--format", "jsonl"],
    ...["--label", "CREATOR=changeling", "--host-label", "CREATOR=changeling"],
    ...["--label", "a=b", "--host-label", "a=b"],
    ...["--transfer", "none", "--from", ":/tmp/source", "--host-env-file", "/dev/fd/3"],
    ...["--idle-mode", "disabled", "--post-host-create-command", "true"],
    ...["--setting", "providers.modal.is_host_volume_created=true", "--setting", "providers.modal.host_dir=/mngr"],
    ...["--setting", "providers.modal.is_snapshotted_after_create=false"],
    ...["--template", "warm", "--build-arg", "cpu=2", "--build-arg", "timeout=60", "--", "true"],
  ]);
});
