import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { writeRecord } from "../../../../components/web/agent/record.ts";
import { AgentsLab, idOf, record } from "../../../support/agents-lab.ts";

const lab = new AgentsLab();

const portOf = async (name: string, server?: string): Promise<string | undefined> => {
  const target = await lab.agents.target(idOf(name), server);
  return target?.kind === "online" ? target.url.port : undefined;
};

/** Registers a server as an agent does: mngr says it too, once it is asked. */
function register(name: string, ports: Record<string, number>): void {
  lab.mngrSays(name, "WAITING", ports);
  const file = join(lab.home, ".mngr", "agents", idOf(name), "logs", "servers.jsonl");
  mkdirSync(dirname(file), { recursive: true });
  appendFileSync(file, `${JSON.stringify(ports)}\n`);
}

it("a local agent's new registration applies, although the old server still responds", async () => {
  const [before, after, last] = [await lab.listen(), await lab.listen(), await lab.listen()];
  lab.declare("ada");
  mkdirSync(join(lab.home, ".mngr", "agents", idOf("ada")), { recursive: true });
  lab.mngrSays("ada", "WAITING", { web: before.port });
  await lab.start();
  expect(await portOf("ada")).toBe(String(before.port));
  register("ada", { web: after.port });
  await lab.eventually("the new one is used", async () => (await portOf("ada")) === String(after.port));
  // The folder is created again, as when its agent is.
  rmSync(join(lab.home, ".mngr", "agents", idOf("ada")), { recursive: true });
  register("ada", { web: last.port, api: before.port });
  await lab.eventually("the last one is used", async () => (await portOf("ada")) === String(last.port));
  expect(await portOf("ada", "api")).toBe(String(before.port));
});

it("other changes in its folder cause no query, and many registrations few", async () => {
  const web = await lab.listen();
  lab.declare("ada");
  register("ada", { web: web.port });
  await lab.start({ onRequest: 3000, onRequestMax: 3000 });
  const looks = lab.calls("exec");
  const folder = join(lab.home, ".mngr", "agents", idOf("ada"));
  for (const file of ["data.json", "logs/other.log"]) writeFileSync(join(folder, file), "x");
  await sleep(300);
  expect(lab.calls("exec")).toBe(looks);
  for (let n = 0; n < 20; n += 1) {
    register("ada", { web: web.port });
    await sleep(20);
  }
  await lab.eventually("it is looked at", () => lab.calls("exec") > looks);
  expect(lab.calls("exec")).toBeLessThan(looks + 3);
});

it("requests for one agent's unknown servers don't delay another's new one", async () => {
  const [web, other, api] = [await lab.listen(), await lab.listen(), await lab.listen()];
  lab.declare("ada", "bob");
  lab.mngrSays("ada", "WAITING", { web: web.port });
  lab.mngrSays("bob", "WAITING", { web: other.port });
  await lab.start({ onRequest: 10, onRequestMax: 600_000 });
  for (let n = 0; n < 7; n += 1) {
    await sleep(12 * 2 ** n);
    expect(await portOf("bob", `nope-${n}`)).toBeUndefined();
  }
  // Longer than `asked`: all agents were looked at just now.
  await sleep(20);
  const looks = lab.calls("exec");
  lab.mngrSays("ada", "WAITING", { web: web.port, api: api.port });
  expect(await portOf("ada", "api")).toBe(String(api.port));
  expect(lab.calls("exec")).toBe(looks + 1);
});

/** In place of ssh: each forwarding leads to the same port of this machine. */
const fakeSsh = `#!/usr/bin/env node
const { connect, createServer } = require("node:net");
const [socket, host, port] = process.argv[process.argv.indexOf("-L") + 1].split(":");
createServer((near) => {
  const far = connect(port, host);
  near.on("error", () => far.destroy()).pipe(far);
  far.on("error", () => near.destroy()).pipe(near);
}).listen(socket, () => console.log(/echo (\\S+);/.exec(process.argv.at(-1))[1]));
process.stdin.on("end", () => process.exit()).resume();
`;

it("an agent on another machine is queried again while it is in use", async () => {
  const [before, after] = [await lab.listen(), await lab.listen()];
  const hostAddress = `${idOf("far")}@host-1.modal`;
  writeRecord(lab.paths, { ...record("far"), provider: "modal", hostAddress });
  writeFileSync(join(lab.home, "bin", "ssh"), fakeSsh, { mode: 0o755 });
  const says = (port: number) => {
    lab.mngrSays("far", "WAITING", { web: port });
    const ssh = { user: "root", host: "far.example", port: 22, key_path: "/key" };
    const host = { id: "host-1", provider_name: "modal", ssh };
    const agents = [{ id: idOf("far"), name: idOf("far"), state: "WAITING", host }];
    writeFileSync(join(lab.home, "list.json"), JSON.stringify({ agents, errors: [] }));
  };
  says(before.port);
  await lab.start({ inUse: 50 });
  expect(await portOf("far")).toBe(String(before.port));
  says(after.port);
  await lab.eventually("the new one is used", async () => (await portOf("far")) === String(after.port));
});
