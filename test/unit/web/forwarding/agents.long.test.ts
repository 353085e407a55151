import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { readTextIfAny } from "../../../../components/host/files.ts";
import { isAlive } from "../../../../components/lib/process.ts";
import { removeRecord, writeRecord } from "../../../../components/web/agent/record.ts";
import { AgentsLab, idOf, record } from "../../../support/agents-lab.ts";

const lab = new AgentsLab();
const urlOf = (port: number) => expect.objectContaining({ kind: "online", url: new URL(`http://127.0.0.1:${port}/`) });

it("an agent is online if it responds, starting if it only runs, otherwise offline with its page", async () => {
  const [web, api] = [await lab.listen(), await lab.listen()];
  lab.declare("ended", "fresh", "on", "stopped");
  lab.mngrSays("on", "WAITING", { api: api.port, web: web.port, dead: 1 });
  lab.mngrSays("fresh", "RUNNING");
  // Its port is somebody else's by now.
  lab.mngrSays("stopped", "STOPPED", { web: web.port }, "<h1>Back soon</h1>\n<p>Yes</p>");
  lab.mngrSays("ended", "DONE");
  await lab.start();
  expect(lab.agents.list()).toEqual([
    { id: idOf("ended"), name: "ended", provider: "local", state: "offline", servers: [] },
    { id: idOf("fresh"), name: "fresh", provider: "local", state: "starting", servers: [] },
    { id: idOf("on"), name: "on", provider: "local", state: "online", servers: ["api", "web", "dead"] },
    { id: idOf("stopped"), name: "stopped", provider: "local", state: "offline", servers: ["web"] },
  ]);
  expect(lab.agents.find(idOf("on"))?.name).toBe("on");
  expect(await lab.agents.target(idOf("on"), undefined)).toEqual(urlOf(web.port));
  expect(await lab.agents.target(idOf("on"), "api")).toEqual(urlOf(api.port));
  expect(await lab.agents.target(idOf("on"), "nope")).toBeUndefined();
  expect(await lab.agents.target(idOf("on"), "dead")).toEqual({
    kind: "offline",
    reason: "its server dead does not answer",
  });
  expect(await lab.agents.target(idOf("fresh"), undefined)).toEqual({
    kind: "starting",
    reason: "it has not registered a server yet",
  });
  expect(await lab.agents.target(idOf("stopped"), undefined)).toEqual({
    kind: "offline",
    reason: "it is stopped",
    page: "<h1>Back soon</h1>\n<p>Yes</p>",
  });
  expect(await lab.agents.target(idOf("ended"), undefined)).toEqual({ kind: "offline", reason: "it has ended" });
  expect(await lab.agents.target(idOf("nobody"), undefined)).toBeUndefined();
  expect(lab.agents.find(idOf("nobody"))).toBeUndefined();
  expect(lab.log.toSorted()).toEqual([
    "ended is offline: it has ended",
    "fresh is starting: it has not registered a server yet",
    "on is online (api, web, dead)",
    "stopped is offline: it is stopped",
  ]);
});

it("all waiting requests share one query if the agent moved to another port", async () => {
  const before = await lab.listen();
  lab.declare("moved");
  lab.hideRegistrations("moved");
  lab.mngrSays("moved", "WAITING", { web: before.port });
  await lab.start({ onRequest: 0 });
  const looks = lab.calls("list");
  await before.close();
  const after = await lab.listen();
  lab.mngrSays("moved", "WAITING", { web: after.port });
  expect(await lab.agents.target(idOf("moved"), undefined)).toEqual(urlOf(before.port));
  lab.agents.failed(idOf("moved"));
  const targets = await Promise.all(Array.from({ length: 20 }, () => lab.agents.target(idOf("moved"), undefined)));
  expect(targets).toEqual(targets.map(() => urlOf(after.port)));
  expect([lab.calls("exec"), lab.calls("list")]).toEqual([0, looks + 1]);
});

it("neither a closed connection nor a recently queried agent causes a query", async () => {
  const web = await lab.listen();
  lab.declare("fine", "off");
  lab.mngrSays("fine", "WAITING", { web: web.port });
  lab.mngrSays("off", "STOPPED");
  await lab.start({ onRequest: 60_000, onRequestMax: 60_000 });
  const looks = lab.calls("list");
  lab.agents.failed(idOf("fine"));
  expect(await lab.agents.target(idOf("fine"), undefined)).toEqual(urlOf(web.port));
  expect((await lab.agents.target(idOf("off"), undefined))?.kind).toBe("offline");
  expect(lab.calls("list")).toBe(looks);
});

it("a starting agent is queried until it responds", async () => {
  const web = await lab.listen();
  lab.declare("slow");
  lab.hideRegistrations("slow");
  lab.mngrSays("slow", "RUNNING");
  await lab.start();
  await lab.eventually("it is looked at again and again", () => lab.calls("list") > 4);
  expect(lab.states()).toEqual({ slow: "starting" });
  lab.mngrSays("slow", "RUNNING", { web: web.port });
  await lab.eventually("it is online", () => lab.states()["slow"] === "online");
  const looks = lab.calls("list");
  await sleep(300);
  expect(lab.calls("list")).toBe(looks);
});

it("an error or invalid output of mngr drops no running agent, and is logged once", async () => {
  const web = await lab.listen();
  lab.declare("lives");
  lab.declareAway(["far"]);
  lab.mngrSays("lives", "WAITING", { web: web.port });
  lab.mngrSays("far", "WAITING", { api: 1 });
  await lab.start({ starting: 600_000 });
  for (const file of ["list", "exec"]) writeFileSync(join(lab.home, `${file}.json`), "what?");
  for (let n = 0; n < 3; n += 1) await lab.agents.refresh();
  const isUnchanged = () => {
    expect(lab.states()).toEqual({ far: "starting", lives: "online" });
    expect(lab.agents.find(idOf("far"))?.servers).toEqual(["api"]);
  };
  isUnchanged();
  expect(await lab.agents.target(idOf("lives"), undefined)).toEqual(urlOf(web.port));
  writeFileSync(
    join(lab.home, "exec.json"),
    JSON.stringify({ results: [{ agent: "x", stdout: "?", stderr: "", success: true }] }),
  );
  writeFileSync(join(lab.home, "list.json"), JSON.stringify({ agents: [], errors: [{ message: "unreachable" }] }));
  await lab.agents.refresh();
  isUnchanged();
  // Of each of the two: the agents on this machine, and those in Docker.
  const [failed, again] = [
    expect.stringMatching(/^mngr list printed unexpected output/),
    "mngr reports everything again",
  ];
  expect(lab.log.slice(2)).toEqual([failed, failed, again, again]);
});

it("invalid registrations are logged once", async () => {
  const web = await lab.listen();
  lab.declare("odd");
  lab.mngrSays("odd", "WAITING", { web: web.port });
  lab.said[idOf("odd")]?.registered?.push({ nonsense: true });
  lab.writeAnswers();
  await lab.start();
  await lab.agents.refresh();
  expect(lab.log).toEqual(["odd is online (web)", "odd has invalid lines among its registrations"]);
});

it("a missing agent does not hide the others", async () => {
  const web = await lab.listen();
  lab.declare("gone", "here");
  lab.declareAway(["lost", "there"]);
  lab.mngrSays("here", "WAITING", { web: web.port });
  lab.mngrSays("there", "WAITING", { api: 1 });
  writeFileSync(join(lab.home, "gone"), `${idOf("lost")}\n`);
  await lab.start({ starting: 600_000 });
  expect(lab.states()).toEqual({ gone: "offline", here: "online", lost: "offline", there: "starting" });
  expect(lab.agents.find(idOf("there"))?.servers).toEqual(["api"]);
  const nobody = { kind: "offline", reason: "mngr has no such agent" };
  for (const name of ["gone", "lost"]) expect(await lab.agents.target(idOf(name), undefined)).toEqual(nobody);
});

it("follows what `pulumi up` declares and removes", async () => {
  const [web, other] = [await lab.listen(), await lab.listen()];
  lab.mngrSays("first", "WAITING", { web: web.port });
  lab.mngrSays("second", "WAITING", { web: other.port });
  await lab.start();
  expect(existsSync(join(lab.home, "calls"))).toBe(false);
  lab.declare("first", "second");
  await lab.eventually(
    "both are there",
    () => lab.states()["first"] === "online" && lab.states()["second"] === "online",
  );
  writeRecord(lab.paths, { ...record("second"), removed: true });
  await lab.eventually("one is gone", () => lab.agents.find(idOf("second")) === undefined);
  removeRecord(lab.paths, "first");
  await lab.eventually("none is left", () => lab.agents.list().length === 0);
});

it("leaves no mngr process behind when it stops", async () => {
  lab.declareAway(["one"]);
  writeFileSync(join(lab.home, "hang"), "");
  lab.mngrSays("one", "WAITING");
  const started = lab.start();
  const pids = () => (readTextIfAny(join(lab.home, "pids")) ?? "").split(/\s/).filter(Boolean).map(Number);
  await lab.eventually("mngr runs twice, with a process of its own each", () => pids().length === 4);
  expect(pids().map(isAlive)).toEqual([true, true, true, true]);
  lab.agents.stop();
  await started;
  await lab.eventually("they have ended", () => !pids().some(isAlive));
});

it("keeps known agents while their records can't be read", async () => {
  const web = await lab.listen();
  lab.declare("fine");
  lab.mngrSays("fine", "WAITING", { web: web.port });
  await lab.start();
  renameSync(lab.paths.web, `${lab.paths.web}.aside`);
  writeFileSync(lab.paths.web, "a file");
  await lab.agents.refresh();
  expect(await lab.agents.target(idOf("fine"), undefined)).toEqual(urlOf(web.port));
  rmSync(lab.paths.web);
  renameSync(`${lab.paths.web}.aside`, lab.paths.web);
  await lab.agents.refresh();
  const logged = lab.log.filter((line) => line.includes("the records"));
  expect(logged).toEqual([
    expect.stringContaining("the records of web agents can't be read: ENOTDIR"),
    "the records of web agents can be read again",
  ]);
});
