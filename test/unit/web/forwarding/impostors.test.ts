import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../../../components/mngr/client.ts";
import { listedAgent } from "../../../../components/web/agent/listed-agent.ts";
import { Claims } from "../../../../components/web/forwarding/program/discovery/claims.ts";
import { AgentsLab, idOf, record } from "../../../support/agents-lab.ts";

const lab = new AgentsLab();
const [victim, thief] = [idOf("victim"), idOf("thief")];
const urlOf = (port: number) => expect.objectContaining({ kind: "online", url: new URL(`http://127.0.0.1:${port}/`) });

const mine = "<p>mine</p>";

const servers = (id: string) => lab.agents.find(id)?.servers;
/** What is shown in place of its page. */
const shown = async (id: string) => {
  const target = await lab.agents.target(id, undefined);
  return target?.kind === "online" ? undefined : target?.page;
};

describe("an agent on another machine", () => {
  const ownResult = () => lab.result(victim, victim, { own: 1 }, mine);
  const stolen = (agent: string) => lab.result(agent, victim, { own: 2, more: 2 }, "<p>stolen</p>");
  beforeEach(() => {
    lab.declareAway(["thief", "victim"]);
    lab.mngrSays("victim", "WAITING", { own: 1 }, mine);
    lab.mngrSays("thief", "WAITING", { web: 2 });
  });

  it("with another's id in its environment is not mistaken for it, and that is logged", async () => {
    for (const results of [
      [ownResult(), stolen(thief)],
      [stolen(thief), ownResult()],
    ]) {
      lab.execSays(results);
      await lab.start({ starting: 600_000 });
      expect([servers(victim), await shown(victim)]).toEqual([["own"], mine]);
      expect([servers(thief), await shown(thief)]).toEqual([[], undefined]);
      expect(lab.log).toContain(`thief claims to be ${victim}, so its output is ignored`);
      lab.agents.stop();
    }
  });

  it("with another's name there is not mistaken for it: each is queried alone", async () => {
    lab.execSays([stolen(victim), ownResult()]);
    lab.execSays([ownResult()], victim);
    lab.execSays([stolen(victim)], thief);
    await lab.start({ starting: 600_000 });
    expect([servers(victim), await shown(victim)]).toEqual([["own"], mine]);
    expect([servers(thief), await shown(thief)]).toEqual([[], undefined]);
    expect(lab.log).toContain(`thief claims to be ${victim}, so its output is ignored`);
  });

  it("has no output if an entry with its name is another's", async () => {
    lab.execSays([stolen(victim)]);
    lab.execSays([], victim);
    lab.execSays([stolen(victim)], thief);
    await lab.start({ starting: 600_000 });
    expect([servers(victim), await shown(victim)]).toEqual([[], undefined]);
  });

  it("keeps its offline page after a false claim", async () => {
    await lab.start({ starting: 600_000 });
    lab.mngrSays("victim", "STOPPED", { own: 1 }, mine);
    lab.execSays([ownResult(), stolen(thief)]);
    await lab.agents.refresh();
    expect(await lab.agents.target(victim, undefined)).toMatchObject({ kind: "offline", page: mine });
  });
});

it("a machine with an agent of another's id is not that agent's machine", () => {
  const of = (host: string, name: string, provider = "docker"): Agent => ({
    ...{ id: victim, name: "victim", state: "WAITING", labels: {}, plugin: {} },
    host: { id: host, name, provider_name: provider, snapshots: [] },
  });
  const known = { ...record("victim"), provider: "docker" as const };
  const deployed = { ...known, host: "victim-1", hostAddress: `${victim}@host-1.docker` };
  const [own, foreign] = [of("host-1", "victim-1"), of("host-2", "thief-1")];
  expect(listedAgent(deployed, [foreign, own])).toBe(own);
  expect(listedAgent(deployed, [foreign])).toBeUndefined();
  expect(listedAgent(deployed, [of("host-1", "victim-1", "modal")])).toBeUndefined();
  // The address of a machine that was just made is not recorded yet.
  expect(listedAgent({ ...deployed, host: "thief-1" }, [foreign])).toBe(foreign);
  expect(listedAgent(known, [foreign])).toBeUndefined();
});

it("two agents on one machine don't share an address: the first to register it keeps it", async () => {
  const [shared, other] = [await lab.listen(), await lab.listen()];
  lab.declare("thief", "victim");
  lab.mngrSays("victim", "WAITING", { web: shared.port });
  lab.mngrSays("thief", "WAITING", { web: other.port });
  await lab.start();
  lab.mngrSays("thief", "WAITING", { web: other.port, more: shared.port });
  await lab.agents.refresh();
  expect(await lab.agents.target(victim, undefined)).toEqual(urlOf(shared.port));
  expect(await lab.agents.target(thief, "more")).toMatchObject({ kind: "offline" });
  expect(lab.log).toContain(
    `thief registers its server more at an address that it can't have: it belongs to ${victim}`,
  );
  // A port of one that has ended can be anybody's.
  lab.mngrSays("victim", "DONE", { web: shared.port });
  await lab.agents.refresh();
  await lab.agents.refresh();
  expect(await lab.agents.target(thief, "more")).toEqual(urlOf(shared.port));
});

it("no agent can register the forwarding server's own port and sockets", async () => {
  const own = await lab.listen();
  lab.declare("thief");
  lab.mngrSays("thief", "WAITING", { web: own.port });
  await lab.start({}, { port: own.port, folder: lab.paths.root });
  expect(lab.agents.find(thief)?.state).toBe("starting");
  expect(lab.log).toContain(
    "thief registers its server web at an address that it can't have: it belongs to the forwarding server",
  );
  const claims = new Claims({ port: own.port, folder: lab.paths.root });
  const refused = claims.take(thief, new Map([["web", `unix:${lab.paths.forwarding}/admin.sock`]]));
  expect([...refused.values()]).toEqual(["it belongs to the forwarding server"]);
});
