import { readdirSync } from "node:fs";
import { afterEach, expect, it, vi } from "vitest";
import { AccessLab, ada, header, login } from "../../../support/access-lab.ts";

const disk = vi.hoisted(() => ({ isFull: false, isReadOnly: false }));

vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const failing = (code: string) => Object.assign(new Error(code), { code });
  return {
    ...real,
    writeSync(file: number, bytes: Uint8Array, at: number) {
      if (disk.isFull || disk.isReadOnly) throw failing(disk.isFull ? "ENOSPC" : "EROFS");
      return real.writeSync(file, bytes, at);
    },
    rmSync(...args: Parameters<typeof real.rmSync>) {
      if (disk.isReadOnly) throw failing("EROFS");
      real.rmSync(...args);
    },
  };
});

const lab = new AccessLab();
afterEach(() => {
  vi.useRealTimers();
  Object.assign(disk, { isFull: false, isReadOnly: false });
});

it("an ended login stays ended if that can't be saved, also after a restart", () => {
  vi.useFakeTimers();
  const access = lab.open();
  const cookie = header(access, login(access));
  expect(access.session(ada, "main", cookie)).toBeDefined();
  disk.isFull = true;
  const unsaved = access.revoke(ada);
  expect(unsaved?.isOldGone).toBe(true);
  expect(unsaved?.problem).toMatch(
    /sessions\.json could not be written \(ENOSPC\); the old file was deleted, so a restart now ends all logins. Writing is retried$/,
  );
  expect(access.session(ada, "main", cookie)).toBeUndefined();
  // Somebody who has the agent's owner's new code gets in: used up, it is on no disk.
  const later = header(access, login(access));
  const restarted = lab.open();
  for (const each of [cookie, later]) expect(restarted.session(ada, "main", each)).toBeUndefined();
});

it("failed writes are retried until there is space, and both are logged once", () => {
  vi.useFakeTimers();
  const access = lab.open();
  const session = login(access);
  disk.isFull = true;
  access.end(session);
  access.revoke(ada);
  expect(readdirSync(lab.folder)).toEqual(["key"]);
  vi.advanceTimersByTime(20_000);
  disk.isFull = false;
  vi.advanceTimersByTime(5000);
  expect(readdirSync(lab.folder).sort()).toEqual(["codes.json", "key", "sessions.json"]);
  expect(lab.log.map((line) => line.replace(/;.*/, ""))).toEqual([
    "the disk is full: <folder>/sessions.json could not be written (ENOSPC)",
    "the disk is full: <folder>/codes.json could not be written (ENOSPC)",
    "<folder>/sessions.json could be written again",
    "<folder>/codes.json could be written again",
  ]);
  expect(lab.open().session(ada, "main", header(access, session))).toBeUndefined();
});

it("a key that can't be saved is used anyway, and the previous one is invalid", () => {
  vi.useFakeTimers();
  const access = lab.open();
  const cookie = header(access, login(access));
  disk.isFull = true;
  expect(access.rotateKey()?.isOldGone).toBe(true);
  expect(access.session(ada, "main", cookie)).toBeUndefined();
  expect(lab.open().session(ada, "main", cookie)).toBeUndefined();
});

it("a read-only disk is reported, because a restart would restore the login", () => {
  vi.useFakeTimers();
  const access = lab.open();
  const cookie = header(access, login(access));
  const { code } = access.mint(ada);
  disk.isReadOnly = true;
  expect(() => access.redeem(ada, code)).toThrow("codes.json could not be written (EROFS)");
  expect(access.redeem(ada, code)).toBeUndefined();
  expect(access.revoke(ada)).toMatchObject({
    isOldGone: false,
    problem: expect.stringContaining("a restart now restores logins that have ended"),
  });
  expect(access.session(ada, "main", cookie)).toBeUndefined();
});
