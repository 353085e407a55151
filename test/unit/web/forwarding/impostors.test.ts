import { expect, it } from "vitest";
import type { Agent } from "../../../../components/mngr/client.ts";
import { listedAgent } from "../../../../components/web/agent/listed-agent.ts";
import { Claims } from "../../../../components/web/forwarding/program/discovery/claims.ts";
import { AgentsLab, idOf, record } from "../../../support/agents-lab.ts";

const lab = new AgentsLab();
const [victim, thief] = [idOf("victim"), idOf("thief")];
const urlOf = (port: number) => expect.objectContaining({ kind: "online", url: new URL(`http://127.0.0.1:${port}/`) });

/** Two agents that run, each with a server of its own. */
async function two(): Promise<{ own: number; stolen: number }> {
  const [own, stolen] = [await lab.listen(), await lab.listen()];
  lab.declare("thief", "victim");
  lab.mngrSays("victim", "WAITING", { web: own.port }, "<p>mine</p>");
  lab.mngrSays("thief", "WAITING", { web: stolen.port });
  return { own: own.port, stolen: stolen.port };
}

it("an agent with another's id in its environment is not mistaken for it, and that is logged", async () => {
  const { own, stolen } = await two();
  const claim = lab.result(thief, victim, { web: stolen, more: stolen }, "<p>stolen</p>");
  for (const results of [
    [lab.result(victim, victim, { web: own }), claim],
    [claim, lab.result(victim, victim, { web: own })],
  ]) {
    lab.execSays(results);
    await lab.start();
    expect(await lab.agents.target(victim, undefined)).toEqual(urlOf(own));
    expect(lab.agents.find(victim)?.servers).toEqual(["web"]);
    expect(lab.agents.find(thief)?.servers).toEqual([]);
    expect(lab.log).toContain(`thief claims to be ${victim}, so its output is ignored`);
    lab.agents.stop();
  }
});

it("an agent with another's name on its machine is not mistaken for it: each is queried alone", async () => {
  const { own, stolen } = await two();
  lab.execSays([
    lab.result(victim, victim, { web: stolen }, "<p>stolen</p>"),
    lab.result(victim, victim, { web: own }),
  ]);
  lab.execSays([lab.result(victim, victim, { web: own })], victim);
  lab.execSays([lab.result(victim, victim, { web: stolen })], thief);
  await lab.start();
  expect(await lab.agents.target(victim, undefined)).toEqual(urlOf(own));
  expect(lab.agents.find(thief)?.servers).toEqual([]);
  expect(lab.log).toContain(`thief claims to be ${victim}, so its output is ignored`);
});

it("an entry with the name of an agent that has none is not accepted for it", async () => {
  const { stolen } = await two();
  lab.execSays([lab.result(victim, victim, { web: stolen })]);
  lab.execSays([], victim);
  lab.execSays([lab.result(victim, victim, { web: stolen })], thief);
  await lab.start();
  expect(lab.agents.find(victim)?.servers).toEqual([]);
});

it("the offline page stays the agent's own after a false claim", async () => {
  const { own, stolen } = await two();
  await lab.start();
  lab.mngrSays("victim", "STOPPED", { web: own }, "<p>mine</p>");
  lab.execSays([
    lab.result(victim, victim, { web: own }, "<p>mine</p>"),
    lab.result(thief, victim, { web: stolen }, "<p>stolen</p>"),
  ]);
  await lab.agents.refresh();
  expect(await lab.agents.target(victim, undefined)).toMatchObject({ kind: "offline", page: "<p>mine</p>" });
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
