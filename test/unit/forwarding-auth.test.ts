import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Access, openAccess } from "../../components/web/forwarding/program/auth/access.ts";
import {
  clearCookie,
  cookieAgents,
  cookieValues,
  isOurCookie,
  setCookie,
} from "../../components/web/forwarding/program/auth/cookies.ts";
import { type Session, signed, verified } from "../../components/web/forwarding/program/auth/signing.ts";

const ada = `agent-${"a".repeat(32)}`;
const bob = `agent-${"b".repeat(32)}`;

let folder: string;
let now: number;
let log: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "access-"));
  now = Date.parse("2026-11-21T05:00:00Z");
  log = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As after a start of the server; the folder stays. */
function open(isSecure = false): Access {
  const write = (line: string) => void log.push(line.replaceAll(folder, "<folder>").replace(/\d{13}/, "<time>"));
  return openAccess({ folder, codeTtlSeconds: 900, cookieTtlSeconds: 3600, isSecure, log: write, now: () => now });
}

function login(access: Access, agentId = ada): Session {
  const session = access.redeem(agentId, access.mint(agentId).code);
  if (session === undefined) throw new Error("a fresh code was refused");
  return session;
}

function header(access: Access, session: Session, audience: "main" | "agent" = "main", agentId = ada): string {
  const { name, value } = access.cookie(agentId, audience, session);
  return `${name}=${value}`;
}

describe("one-time codes", () => {
  it("are random, expire, and only their hash is stored", () => {
    const access = open();
    const { code, expiresAt } = access.mint(ada);
    expect(Buffer.from(code, "base64url")).toHaveLength(32);
    expect(expiresAt.toISOString()).toBe("2026-11-21T05:15:00.000Z");
    const hash = createHash("sha256").update(code).digest("base64url");
    expect(JSON.parse(readFileSync(join(folder, "codes.json"), "utf8"))).toEqual({
      version: 1,
      codes: [{ agentId: ada, hash, expiresAt: expiresAt.getTime() }],
    });
    expect(access.mint(ada).code).not.toBe(code);
  });

  it("are good once, for their agent, within their time", () => {
    const access = open();
    const { code } = access.mint(ada);
    expect(access.redeem(bob, code)).toBeUndefined();
    expect(access.redeem(ada, `${code}x`)).toBeUndefined();
    expect(access.redeem(ada, "")).toBeUndefined();
    expect(access.redeem(ada, code)).toEqual({ id: expect.stringMatching(/^[\w-]{22}$/), expiresAt: now + 3_600_000 });
    expect(access.redeem(ada, code)).toBeUndefined();
    const late = access.mint(ada).code;
    now += 900_000;
    expect(access.redeem(ada, late)).toBeUndefined();
  });

  it("are used up on the disk before anybody hears of it", () => {
    const first = open();
    const used = first.mint(ada).code;
    const unused = first.mint(ada).code;
    first.redeem(ada, used);
    const second = open();
    expect(second.redeem(ada, used)).toBeUndefined();
    expect(second.redeem(ada, unused)).toBeDefined();
    expect(log).toEqual([]);
  });

  it("are good for nobody when it can't be written that they are used up", () => {
    const access = open();
    const { code } = access.mint(ada);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "");
    expect(() => access.redeem(ada, code)).toThrow();
    expect(access.redeem(ada, code)).toBeUndefined();
    rmSync(folder);
  });

  it("leave the file when they have expired, and make room when there are too many", () => {
    const access = open();
    const stored = () => JSON.parse(readFileSync(join(folder, "codes.json"), "utf8")).codes.length;
    access.mint(ada);
    now += 900_000;
    const oldest = access.mint(ada).code;
    expect(stored()).toBe(1);
    const many = { version: 1, codes: [] as unknown[] };
    for (let i = 0; i < 1000; i++)
      many.codes.push({
        agentId: bob,
        hash: createHash("sha256").update(String(i)).digest("base64url"),
        expiresAt: now + 1,
      });
    const { codes } = JSON.parse(readFileSync(join(folder, "codes.json"), "utf8"));
    writeFileSync(join(folder, "codes.json"), JSON.stringify({ ...many, codes: [...codes, ...many.codes] }));
    const again = open();
    const newest = again.mint(ada).code;
    expect(stored()).toBe(1000);
    expect(again.redeem(ada, oldest)).toBeUndefined();
    expect(again.redeem(ada, newest)).toBeDefined();
  });

  it.each(["{", "", "[]", '{"version":2,"codes":[]}', '{"version":1,"codes":[{"agentId":1}]}'])(
    "are void when their file is damaged: %j",
    (content) => {
      const { code } = open().mint(ada);
      writeFileSync(join(folder, "codes.json"), content);
      const access = open();
      expect(access.redeem(ada, code)).toBeUndefined();
      expect(access.redeem(ada, access.mint(ada).code)).toBeDefined();
      expect(log).toEqual([
        "<folder>/codes.json is damaged: it was put aside as codes.json.damaged-<time>, and nothing in it is valid",
      ]);
      expect(readdirSync(folder).sort()).toEqual([
        "codes.json",
        expect.stringMatching(/^codes\.json\.damaged-\d+$/),
        "key",
        "sessions.json",
      ]);
    },
  );
});

describe("the folder", () => {
  it("holds files for nobody else's eyes", () => {
    login(open());
    const modes = readdirSync(folder).map((file) => [file, (statSync(join(folder, file)).mode & 0o777).toString(8)]);
    expect(Object.fromEntries(modes)).toEqual({ "codes.json": "600", key: "600", "sessions.json": "600" });
  });

  it("is cleared of what a kill in the middle of a write left", () => {
    open();
    for (const file of ["codes.json.123", "key.9", "sessions.json.77"]) writeFileSync(join(folder, file), "half");
    open();
    expect(readdirSync(folder).sort()).toEqual(["key", "sessions.json"]);
  });
});

describe("the key", () => {
  it("stays over restarts", () => {
    const access = open();
    const cookie = header(access, login(access));
    expect(open().session(ada, "main", cookie)).toBeDefined();
  });

  it.each(["", "short", "!".repeat(43), `${"A".repeat(43)}\n\n`])("is made anew when it is damaged: %j", (content) => {
    const access = open();
    const cookie = header(access, login(access));
    writeFileSync(join(folder, "key"), content);
    expect(open().session(ada, "main", cookie)).toBeUndefined();
    expect(log).toEqual([
      "<folder>/key is damaged: it was put aside as key.damaged-<time>, and nothing in it is valid",
    ]);
  });

  it("is hidden again when others could read it", () => {
    open();
    chmodSync(join(folder, "key"), 0o644);
    open();
    expect(statSync(join(folder, "key")).mode & 0o777).toBe(0o600);
    expect(log).toEqual([
      "<folder>/key could be read by others, and no longer can; if somebody did, make a new one: changeling revoke --all",
    ]);
  });

  it("ends every login and every ticket when it is rotated, but no code", () => {
    const access = open();
    const session = login(access);
    const cookie = header(access, session);
    const ticket = access.ticket(ada, session);
    const { code } = access.mint(ada);
    access.rotateKey();
    expect(access.session(ada, "main", cookie)).toBeUndefined();
    expect(access.redeemTicket(ada, ticket)).toBeUndefined();
    expect(access.redeem(ada, code)).toBeDefined();
    expect(open().session(ada, "main", cookie)).toBeUndefined();
  });
});

describe("a cookie", () => {
  it("is for one agent, one audience, until its time", () => {
    const access = open();
    const session = login(access);
    const cookie = header(access, session);
    expect(access.session(ada, "main", cookie)).toEqual(session);
    expect(access.session(ada, "main", `other=1; ${cookie}; last=2`)).toEqual(session);
    expect(access.session(ada, "agent", cookie)).toBeUndefined();
    expect(access.session(bob, "main", cookie)).toBeUndefined();
    expect(access.session(bob, "main", cookie.replace(ada, bob))).toBeUndefined();
    expect(access.session(ada, "main", undefined)).toBeUndefined();
    expect(access.session(ada, "main", "")).toBeUndefined();
    now += 3_600_000;
    expect(access.session(ada, "main", cookie)).toBeUndefined();
  });

  it("counts when another one of its name stands before it", () => {
    const access = open();
    const cookie = header(access, login(access));
    const forged = `${cookie.slice(0, cookie.indexOf("="))}=forged`;
    expect(access.session(ada, "main", `${forged}; ${cookie}`)).toBeDefined();
  });

  it("ends with its session, on every origin, also after a restart", () => {
    const access = open();
    const [session, other] = [login(access), login(access)];
    access.session(ada, "main", header(access, session));
    access.end(session);
    for (const each of [access, open()]) {
      expect(each.session(ada, "main", header(access, session))).toBeUndefined();
      expect(each.session(ada, "agent", header(access, session, "agent"))).toBeUndefined();
      expect(each.session(ada, "main", header(access, other))).toEqual(other);
    }
    expect(Object.keys(JSON.parse(readFileSync(join(folder, "sessions.json"), "utf8")).ended)).toEqual([session.id]);
    now += 3_600_000;
    access.end({ id: "x".repeat(22), expiresAt: now + 1 });
    expect(Object.keys(JSON.parse(readFileSync(join(folder, "sessions.json"), "utf8")).ended)).toEqual([
      "x".repeat(22),
    ]);
  });

  it("ends when its agent's logins are revoked, whatever the clock says; others stay", () => {
    const access = open();
    const session = login(access);
    const cookies = [header(access, session), header(access, session, "agent")] as const;
    const bobs = header(access, login(access, bob), "main", bob);
    const { code } = access.mint(ada);
    const ticket = access.ticket(ada, session);
    expect(access.session(ada, "main", cookies[0])).toBeDefined();
    now -= 60_000;
    access.revoke(ada);
    for (const each of [access, open()]) {
      expect(each.session(ada, "main", cookies[0])).toBeUndefined();
      expect(each.session(ada, "agent", cookies[1])).toBeUndefined();
      expect(each.redeem(ada, code)).toBeUndefined();
      expect(each.redeemTicket(ada, ticket)).toBeUndefined();
      expect(each.session(bob, "main", bobs)).toBeDefined();
    }
    const later = login(access);
    expect(access.session(ada, "main", header(access, later))).toEqual(later);
  });

  it.each(["damaged", "gone"])("is void when what was ended is %s", (what) => {
    const access = open();
    const cookie = header(access, login(access));
    if (what === "gone") rmSync(join(folder, "sessions.json"));
    else writeFileSync(join(folder, "sessions.json"), "{}");
    const again = open();
    expect(again.session(ada, "main", cookie)).toBeUndefined();
    expect(again.session(ada, "main", header(again, login(again)))).toBeDefined();
  });

  it("can't be forged: any bit that is flipped makes it void", () => {
    const key = Buffer.alloc(32, 7);
    const purpose = { agentId: ada, audience: "main", revocations: 0 } as const;
    const session = fc.record({
      id: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString("base64url")),
      expiresAt: fc.integer({ min: 0, max: 8.64e15 }),
    });
    fc.assert(
      fc.property(session, (wanted) => {
        const value = signed(key, purpose, wanted);
        expect(verified(key, purpose, value)).toEqual(wanted);
        for (let bit = 0; bit < value.length * 8; bit++) {
          const bytes = Buffer.from(value, "latin1");
          bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
          if (verified(key, purpose, bytes.toString("latin1")) !== undefined) expect.unreachable(`bit ${bit}`);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("can't be forged: neither another key, nor purpose, nor text makes one", () => {
    const key = Buffer.alloc(32, 7);
    const purpose = { agentId: ada, audience: "main", revocations: 0 } as const;
    const value = signed(key, purpose, { id: "x".repeat(22), expiresAt: 1 });
    const other = Buffer.alloc(32, 7);
    other[31] = 8;
    expect(verified(other, purpose, value)).toBeUndefined();
    expect(verified(key, { ...purpose, agentId: bob }, value)).toBeUndefined();
    expect(verified(key, { ...purpose, audience: "agent" }, value)).toBeUndefined();
    expect(verified(key, { ...purpose, revocations: 1 }, value)).toBeUndefined();
    fc.assert(fc.property(fc.string(), (text) => verified(key, purpose, text) === undefined));
    for (const longer of [`${value}A`, `${value}=`, ` ${value}`, `0${value}`, `${value}.${value}`])
      expect(verified(key, purpose, longer)).toBeUndefined();
  });
});

describe("a ticket", () => {
  it("carries a session once, to its agent, within 30 s", () => {
    const access = open();
    const session = login(access);
    const ticket = access.ticket(ada, session);
    expect(access.redeemTicket(bob, ticket)).toBeUndefined();
    expect(access.redeemTicket(ada, "")).toBeUndefined();
    expect(access.redeemTicket(ada, ticket)).toEqual(session);
    expect(access.redeemTicket(ada, ticket)).toBeUndefined();
    const late = access.ticket(ada, session);
    now += 30_000;
    expect(access.redeemTicket(ada, late)).toBeUndefined();
  });

  it("is void when its session ended meanwhile, and after a restart", () => {
    const access = open();
    const session = login(access);
    const lost = access.ticket(ada, session);
    expect(open().redeemTicket(ada, lost)).toBeUndefined();
    const ticket = access.ticket(ada, session);
    access.end(session);
    expect(access.redeemTicket(ada, ticket)).toBeUndefined();
  });

  it("makes room when there are too many", () => {
    const access = open();
    const session = login(access);
    const tickets = Array.from({ length: 1001 }, () => access.ticket(ada, session));
    expect(tickets.map((ticket) => access.redeemTicket(ada, ticket) !== undefined)).toEqual([
      false,
      ...Array<boolean>(1000).fill(true),
    ]);
  });
});

describe("the header of a cookie", () => {
  it("says all that keeps it from scripts, other sites and plain text", () => {
    const session = { id: "x".repeat(22), expiresAt: now + 60_000 };
    const { value, ...rest } = open().cookie(ada, "main", session);
    expect(rest).toEqual({ name: `changeling_${ada}`, maxAgeSeconds: 60 });
    expect(setCookie({ ...rest, value: "v" })).toBe(`changeling_${ada}=v; Max-Age=60; Path=/; HttpOnly; SameSite=Lax`);
    const secure = open(true).cookie(ada, "main", session);
    expect(setCookie({ ...secure, value: "v" })).toBe(
      `__Host-changeling_${ada}=v; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure`,
    );
    expect(clearCookie(rest.name)).toBe(`changeling_${ada}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax`);
  });

  it("is read as browsers write it, and as nobody does", () => {
    const text = `changeling_${ada}=1; theme=dark;changeling_${ada}=2; junk; changeling_${bob} = 3 ; Xchangeling_${ada}=4`;
    expect(cookieValues(text, `changeling_${ada}`)).toEqual(["1", "2"]);
    expect(cookieAgents(text)).toEqual([ada, bob]);
    expect(cookieAgents(`__Host-changeling_${ada}=1`)).toEqual([ada]);
    expect(cookieAgents(undefined)).toEqual([]);
  });

  it("tells our cookies from those of agents", () => {
    const ours = [`changeling_${ada}`, `__Host-changeling_${ada}`];
    const theirs = ["changeling", "changeling_theme", `my_changeling_${ada}`, `__Secure-changeling_${ada}`, ""];
    expect(ours.filter(isOurCookie)).toEqual(ours);
    expect(theirs.filter(isOurCookie)).toEqual([]);
  });
});
