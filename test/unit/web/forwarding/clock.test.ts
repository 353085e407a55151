import { describe, expect, it, vi } from "vitest";
import { SteadyClock } from "../../../../components/web/forwarding/program/auth/steady-clock.ts";
import { AccessLab, ada, header, login } from "../../../support/access-lab.ts";
import { AgentsLab, idOf } from "../../../support/agents-lab.ts";
import { openSite } from "../../../support/forwarding-site.ts";

const hour = 3_600_000;

describe("a clock that is set back", () => {
  const lab = new AccessLab();

  it("restores no ended login, also after a restart", () => {
    const access = lab.open();
    const session = login(access);
    const cookie = header(access, session);
    access.end(session);
    // The clock is two hours ahead, and what has run out by then is forgotten.
    lab.now += 2 * hour;
    access.revoke(`agent-${"c".repeat(32)}`);
    lab.now -= 2 * hour;
    expect(access.session(ada, "main", cookie)).toBeUndefined();
    expect(lab.open().session(ada, "main", cookie)).toBeUndefined();
  });

  it("lets nothing last longer: time continues from its latest value", () => {
    const access = lab.open();
    const cookie = header(access, login(access));
    const { code } = access.mint(ada);
    lab.now -= 5 * hour;
    lab.elapsed += 0.9 * hour;
    expect(access.session(ada, "main", cookie)).toBeDefined();
    lab.elapsed += 0.1 * hour;
    expect(access.session(ada, "main", cookie)).toBeUndefined();
    expect(access.redeem(ada, code)).toBeUndefined();
  });

  it("after having been ahead: new logins and login URLs are valid as long as usual", () => {
    lab.now += 24 * 365 * hour;
    lab.open().mint(ada);
    lab.now -= 24 * 365 * hour;
    const access = lab.open();
    const { code, expiresAt } = access.mint(ada);
    expect(expiresAt.getTime()).toBe(lab.now + 900_000);
    const session = access.redeem(ada, code);
    if (session === undefined) throw new Error("a fresh code was refused");
    expect(access.cookie(ada, "main", session).maxAgeSeconds).toBe(3600);
    lab.elapsed += hour;
    expect(access.session(ada, "main", header(access, session))).toBeUndefined();
  });
});

it("the limit on failed logins ends after a minute, although the clock was set back", async () => {
  await using site = await openSite();
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
  try {
    const statuses = async () => (await site.ask("/authenticate")).status;
    for (let n = 0; n < 60; n += 1) await statuses();
    expect(await statuses()).toBe(429);
    vi.setSystemTime(Date.now() - 24 * hour);
    expect(await statuses()).toBe(429);
    vi.advanceTimersByTime(60_000);
    expect(await statuses()).toBe(403);
  } finally {
    vi.useRealTimers();
  }
});

it("the steady clock follows the machine's if that is ahead, and never goes back", () => {
  let [wall, elapsed] = [1000, 0];
  const clock = new SteadyClock(
    () => wall,
    () => elapsed,
  );
  const shown = [
    [2000, 0],
    [500, 0],
    [500, 10],
    [2005, 10],
    [2500, 20],
    [2490, 30],
  ].map(([toWall = 0, toElapsed = 0]) => {
    [wall, elapsed] = [toWall, toElapsed];
    return clock.now();
  });
  expect(shown).toEqual([2000, 2000, 2010, 2010, 2500, 2510]);
});

describe("the agents' discovery", () => {
  const lab = new AgentsLab();

  it("queries again although the clock was set back", async () => {
    lab.declare("ada");
    lab.hideRegistrations("ada");
    lab.mngrSays("ada", "STOPPED");
    await lab.start();
    const { port } = await lab.listen();
    lab.mngrSays("ada", "WAITING", { web: port });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 24 * hour });
    try {
      const isOnline = async () => (await lab.agents.target(idOf("ada"), undefined))?.kind === "online";
      await lab.eventually("it is online", isOnline);
    } finally {
      vi.useRealTimers();
    }
  });
});
