import { createHash, randomUUID } from "node:crypto";
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { AccessLab, ada, bob, header, login } from "../../../support/access-lab.ts";

const lab = new AccessLab();

describe("one-time codes", () => {
  it("are random, expire, and only their hash is stored", () => {
    const access = lab.open();
    const { code, expiresAt } = access.mint(ada);
    expect(Buffer.from(code, "base64url")).toHaveLength(32);
    expect(expiresAt.toISOString()).toBe("2026-11-21T05:15:00.000Z");
    const hash = createHash("sha256").update(code).digest("base64url");
    expect(JSON.parse(readFileSync(join(lab.folder, "codes.json"), "utf8"))).toEqual({
      version: 1,
      codes: [{ agentId: ada, hash, expiresAt: expiresAt.getTime() }],
    });
    expect(access.mint(ada).code).not.toBe(code);
  });

  it("work once, for their agent, until they expire", () => {
    const access = lab.open();
    const { code } = access.mint(ada);
    expect(access.redeem(bob, code)).toBeUndefined();
    expect(access.redeem(ada, `${code}x`)).toBeUndefined();
    expect(access.redeem(ada, "")).toBeUndefined();
    expect(access.redeem(ada, code)).toEqual({
      id: expect.stringMatching(/^[\w-]{22}$/),
      expiresAt: lab.now + 3_600_000,
    });
    expect(access.redeem(ada, code)).toBeUndefined();
    const late = access.mint(ada).code;
    lab.now += 900_000;
    expect(access.redeem(ada, late)).toBeUndefined();
  });

  it("are marked as used on disk before the login succeeds", () => {
    const first = lab.open();
    const used = first.mint(ada).code;
    const unused = first.mint(ada).code;
    first.redeem(ada, used);
    const second = lab.open();
    expect(second.redeem(ada, used)).toBeUndefined();
    expect(second.redeem(ada, unused)).toBeDefined();
    expect(lab.log).toEqual([]);
  });

  it("are rejected if their use can't be saved", () => {
    const access = lab.open();
    const { code } = access.mint(ada);
    rmSync(lab.folder, { recursive: true });
    writeFileSync(lab.folder, "");
    expect(() => access.redeem(ada, code)).toThrow();
    expect(access.redeem(ada, code)).toBeUndefined();
    rmSync(lab.folder);
  });

  it("are removed from the file when they expire, or when there are too many", () => {
    const access = lab.open();
    const stored = () => JSON.parse(readFileSync(join(lab.folder, "codes.json"), "utf8")).codes.length;
    access.mint(ada);
    lab.now += 900_000;
    const oldest = access.mint(ada).code;
    expect(stored()).toBe(1);
    const many = { version: 1, codes: [] as unknown[] };
    for (let i = 0; i < 1000; i++)
      many.codes.push({
        agentId: bob,
        hash: createHash("sha256").update(String(i)).digest("base64url"),
        expiresAt: lab.now + 1,
      });
    const { codes } = JSON.parse(readFileSync(join(lab.folder, "codes.json"), "utf8"));
    writeFileSync(join(lab.folder, "codes.json"), JSON.stringify({ ...many, codes: [...codes, ...many.codes] }));
    const again = lab.open();
    const newest = again.mint(ada).code;
    expect(stored()).toBe(1000);
    expect(again.redeem(ada, oldest)).toBeUndefined();
    expect(again.redeem(ada, newest)).toBeDefined();
  });

  it.each(["{", "", "[]", '{"version":2,"codes":[]}', '{"version":1,"codes":[{"agentId":1}]}'])(
    "are void when their file is damaged: %j",
    (content) => {
      const { code } = lab.open().mint(ada);
      writeFileSync(join(lab.folder, "codes.json"), content);
      const access = lab.open();
      expect(access.redeem(ada, code)).toBeUndefined();
      expect(access.redeem(ada, access.mint(ada).code)).toBeDefined();
      expect(lab.log).toEqual([
        "<folder>/codes.json is damaged, so it was renamed to codes.json.damaged-<time>, and its contents are ignored",
      ]);
      expect(readdirSync(lab.folder).sort()).toEqual([
        "codes.json",
        expect.stringMatching(/^codes\.json\.damaged-\d+$/),
        "key",
        "sessions.json",
      ]);
    },
  );
});

describe("the folder", () => {
  it("contains only private files", () => {
    login(lab.open());
    const modes = readdirSync(lab.folder).map((file) => [
      file,
      (statSync(join(lab.folder, file)).mode & 0o777).toString(8),
    ]);
    expect(Object.fromEntries(modes)).toEqual({ "codes.json": "600", key: "600", "sessions.json": "600" });
  });

  it("is cleared of files from interrupted writes", () => {
    lab.open();
    for (const file of ["codes.json.123", "key.9", "sessions.json.77", `key.${randomUUID()}.new`])
      writeFileSync(join(lab.folder, file), "half");
    lab.open();
    expect(readdirSync(lab.folder).sort()).toEqual(["key", "sessions.json"]);
  });
});

describe("the key", () => {
  it("is kept after a restart", () => {
    const access = lab.open();
    const cookie = header(access, login(access));
    expect(lab.open().session(ada, "main", cookie)).toBeDefined();
  });

  it.each(["", "short", "!".repeat(43), `${"A".repeat(43)}\n\n`])("is replaced if it is damaged: %j", (content) => {
    const access = lab.open();
    const cookie = header(access, login(access));
    writeFileSync(join(lab.folder, "key"), content);
    expect(lab.open().session(ada, "main", cookie)).toBeUndefined();
    expect(lab.log).toEqual([
      "<folder>/key is damaged, so it was renamed to key.damaged-<time>, and its contents are ignored",
    ]);
  });

  it("is made private if others could read it", () => {
    lab.open();
    chmodSync(join(lab.folder, "key"), 0o644);
    lab.open();
    expect(statSync(join(lab.folder, "key")).mode & 0o777).toBe(0o600);
    expect(lab.log).toEqual([
      "<folder>/key was readable by other users, so its mode was set to 0600; if somebody may have read it, replace it with: changeling revoke --all",
    ]);
  });

  it("ends all logins and tickets when it is rotated, but no codes", () => {
    const access = lab.open();
    const session = login(access);
    const cookie = header(access, session);
    const ticket = access.ticket(ada, session);
    const { code } = access.mint(ada);
    access.rotateKey();
    expect(access.session(ada, "main", cookie)).toBeUndefined();
    expect(access.redeemTicket(ada, ticket)).toBeUndefined();
    expect(access.redeem(ada, code)).toBeDefined();
    expect(lab.open().session(ada, "main", cookie)).toBeUndefined();
  });
});
