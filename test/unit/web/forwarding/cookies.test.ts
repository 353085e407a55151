import { createHmac } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  clearCookie,
  cookieAgents,
  cookieValues,
  isOurCookie,
  setCookie,
} from "../../../../components/web/forwarding/program/auth/cookies.ts";
import { signed, verified } from "../../../../components/web/forwarding/program/auth/signing.ts";
import { AccessLab, ada, bob, header, login } from "../../../support/access-lab.ts";
import { ada as adaView, json, openSite } from "../../../support/forwarding-site.ts";

const lab = new AccessLab();

describe("a cookie", () => {
  it("is valid for one agent and audience until it expires", () => {
    const access = lab.open();
    const session = login(access);
    const cookie = header(access, session);
    expect(access.session(ada, "main", cookie)).toEqual(session);
    expect(access.session(ada, "main", `other=1; ${cookie}; last=2`)).toEqual(session);
    expect(access.session(ada, "agent", cookie)).toBeUndefined();
    expect(access.session(bob, "main", cookie)).toBeUndefined();
    expect(access.session(bob, "main", cookie.replace(ada, bob))).toBeUndefined();
    expect(access.session(ada, "main", undefined)).toBeUndefined();
    expect(access.session(ada, "main", "")).toBeUndefined();
    lab.now += 3_600_000;
    expect(access.session(ada, "main", cookie)).toBeUndefined();
  });

  it("causes no more work if a hostile header and body repeat it", async () => {
    await using site = await openSite();
    const [name] = (await site.login(adaView)).split("=");
    const forged = `${name}=0.${"a".repeat(22)}.${"b".repeat(43)}`;
    const cookie = Array.from({ length: 400 }, () => forged).join("; ");
    const keys = Array.from({ length: 1000 }, () => [adaView.id, "k".repeat(43)]);
    const split = vi.spyOn(String.prototype, "split");
    const digest = vi.spyOn(Object.getPrototypeOf(createHmac("sha256", "")), "digest");
    const { body } = await site.ask("/agents", { cookie, ...json({ keys }) });
    const parsed = split.mock.contexts.filter((text) => String(text) === cookie);
    const digests = digest.mock.calls.length;
    vi.restoreAllMocks();
    expect(JSON.parse(body).keys).toEqual([]);
    expect([parsed.length, digests < 500]).toEqual([1, true]);
  });

  it("of an agent is looked up without parsing the header again for each", async () => {
    await using site = await openSite([adaView], { routing: "path" });
    const cookie = Array.from({ length: 1000 }, (_, i) => `changeling_agent-${String(i).padStart(32, "0")}=`).join(";");
    const split = vi.spyOn(String.prototype, "split");
    await site.ask("/", { cookie });
    const parsed = split.mock.contexts.filter((text) => String(text) === cookie);
    vi.restoreAllMocks();
    expect(parsed).toHaveLength(1);
  });

  it("is valid even after another one with its name", () => {
    const access = lab.open();
    const cookie = header(access, login(access));
    const forged = `${cookie.slice(0, cookie.indexOf("="))}=forged`;
    expect(access.session(ada, "main", `${forged}; ${cookie}`)).toBeDefined();
  });

  it("ends with its session on every origin, also after a restart", () => {
    const access = lab.open();
    const [session, other] = [login(access), login(access)];
    access.session(ada, "main", header(access, session));
    access.end(session);
    for (const each of [access, lab.open()]) {
      expect(each.session(ada, "main", header(access, session))).toBeUndefined();
      expect(each.session(ada, "agent", header(access, session, "agent"))).toBeUndefined();
      expect(each.session(ada, "main", header(access, other))).toEqual(other);
    }
    expect(Object.keys(JSON.parse(readFileSync(join(lab.folder, "sessions.json"), "utf8")).ended)).toEqual([
      session.id,
    ]);
    lab.now += 3_600_000;
    access.end({ id: "x".repeat(22), expiresAt: lab.now + 1 });
    expect(Object.keys(JSON.parse(readFileSync(join(lab.folder, "sessions.json"), "utf8")).ended)).toEqual([
      "x".repeat(22),
    ]);
  });

  it("ends when its agent's logins are revoked, whatever the clock says; others stay", () => {
    const access = lab.open();
    const session = login(access);
    const cookies = [header(access, session), header(access, session, "agent")] as const;
    const bobs = header(access, login(access, bob), "main", bob);
    const { code } = access.mint(ada);
    const ticket = access.ticket(ada, session);
    expect(access.session(ada, "main", cookies[0])).toBeDefined();
    lab.now -= 60_000;
    access.revoke(ada);
    for (const each of [access, lab.open()]) {
      expect(each.session(ada, "main", cookies[0])).toBeUndefined();
      expect(each.session(ada, "agent", cookies[1])).toBeUndefined();
      expect(each.redeem(ada, code)).toBeUndefined();
      expect(each.redeemTicket(ada, ticket)).toBeUndefined();
      expect(each.session(bob, "main", bobs)).toBeDefined();
    }
    const later = login(access);
    expect(access.session(ada, "main", header(access, later))).toEqual(later);
  });

  it.each(["damaged", "gone"])("is invalid if the list of ended sessions is %s", (what) => {
    const access = lab.open();
    const cookie = header(access, login(access));
    if (what === "gone") rmSync(join(lab.folder, "sessions.json"));
    else writeFileSync(join(lab.folder, "sessions.json"), "{}");
    const again = lab.open();
    expect(again.session(ada, "main", cookie)).toBeUndefined();
    expect(again.session(ada, "main", header(again, login(again)))).toBeDefined();
  });

  it("can't be forged by flipping a bit", () => {
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

  it("can't be forged with another key, purpose or text", () => {
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
    const access = lab.open();
    const session = login(access);
    const ticket = access.ticket(ada, session);
    expect(access.redeemTicket(bob, ticket)).toBeUndefined();
    expect(access.redeemTicket(ada, "")).toBeUndefined();
    expect(access.redeemTicket(ada, ticket)).toEqual(session);
    expect(access.redeemTicket(ada, ticket)).toBeUndefined();
    const late = access.ticket(ada, session);
    lab.now += 30_000;
    expect(access.redeemTicket(ada, late)).toBeUndefined();
  });

  it("is invalid after its session ended, and after a restart", () => {
    const access = lab.open();
    const session = login(access);
    const lost = access.ticket(ada, session);
    expect(lab.open().redeemTicket(ada, lost)).toBeUndefined();
    const ticket = access.ticket(ada, session);
    access.end(session);
    expect(access.redeemTicket(ada, ticket)).toBeUndefined();
  });

  it("evicts the oldest if there are too many", () => {
    const access = lab.open();
    const session = login(access);
    const tickets = Array.from({ length: 1001 }, () => access.ticket(ada, session));
    expect(tickets.map((ticket) => access.redeemTicket(ada, ticket) !== undefined)).toEqual([
      false,
      ...Array<boolean>(1000).fill(true),
    ]);
  });
});

describe("the header of a cookie", () => {
  it("contains all attributes that protect it from scripts, other sites and http", () => {
    const session = { id: "x".repeat(22), expiresAt: lab.now + 60_000 };
    const { value, ...rest } = lab.open().cookie(ada, "main", session);
    expect(rest).toEqual({ name: `changeling_${ada}`, maxAgeSeconds: 60 });
    expect(setCookie({ ...rest, value: "v" })).toBe(`changeling_${ada}=v; Max-Age=60; Path=/; HttpOnly; SameSite=Lax`);
    const secure = lab.open(true).cookie(ada, "main", session);
    expect(setCookie({ ...secure, value: "v" })).toBe(
      `__Host-changeling_${ada}=v; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure`,
    );
    expect(clearCookie(rest.name)).toBe(`changeling_${ada}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax`);
  });

  it("is parsed in valid and invalid forms", () => {
    const text = `changeling_${ada}=1; theme=dark;changeling_${ada}=2; junk; changeling_${bob} = 3 ; Xchangeling_${ada}=4`;
    expect(cookieValues(text, `changeling_${ada}`)).toEqual(["1", "2"]);
    expect(cookieAgents(text)).toEqual([ada, bob]);
    expect(cookieAgents(`__Host-changeling_${ada}=1`)).toEqual([ada]);
    expect(cookieAgents(undefined)).toEqual([]);
  });

  it("distinguishes our cookies from agents' cookies", () => {
    const ours = [`changeling_${ada}`, `__Host-changeling_${ada}`, `__Secure-changeling_${"0".repeat(32)}`];
    const theirs = ["changeling", "changeling_theme", `my_changeling_${ada}`, `__Other-changeling_${ada}`, ""];
    expect(ours.filter(isOurCookie)).toEqual(ours);
    expect(theirs.filter(isOurCookie)).toEqual([]);
  });
});
