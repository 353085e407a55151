import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { AgentsLab, idOf } from "../../../support/agents-lab.ts";

const lab = new AgentsLab();

const portOf = async (name: string, server?: string): Promise<string | undefined> => {
  const target = await lab.agents.target(idOf(name), server);
  return target?.kind === "online" ? target.url.port : undefined;
};

it("a local agent's new registration applies, although the old server still responds", async () => {
  const [before, after, last] = [await lab.listen(), await lab.listen(), await lab.listen()];
  lab.declare("ada");
  lab.mngrSays("ada", "WAITING");
  await lab.start({ starting: 600_000 });
  // Its folder is there, but not yet the file's. No request causes a query.
  lab.mngrSays("ada", "WAITING", { web: before.port });
  await lab.eventually("the first one is used", () => lab.agents.find(idOf("ada"))?.state === "online");
  expect(await portOf("ada")).toBe(String(before.port));
  lab.mngrSays("ada", "WAITING", { web: after.port });
  await lab.eventually("the new one is used", async () => (await portOf("ada")) === String(after.port));
  // The folder is created again, as when its agent is.
  rmSync(lab.folderOf("ada"), { recursive: true });
  lab.mngrSays("ada", "WAITING", { web: last.port, api: before.port });
  await lab.eventually("the last one is used", async () => (await portOf("ada")) === String(last.port));
  expect(await portOf("ada", "api")).toBe(String(before.port));
});

it("other changes in its folder cause no query, and many registrations few", async () => {
  const web = await lab.listen();
  lab.declare("ada");
  lab.mngrSays("ada", "WAITING", { web: web.port });
  await lab.start({ onRequest: 3000, onRequestMax: 3000 });
  const looks = lab.calls("list");
  const folder = lab.folderOf("ada");
  for (const file of ["data.json", "logs/other.log"]) writeFileSync(join(folder, file), "x");
  await sleep(300);
  expect(lab.calls("list")).toBe(looks);
  for (let n = 0; n < 20; n += 1) {
    appendFileSync(join(folder, "logs/servers.jsonl"), `${JSON.stringify({ server: "web", port: web.port })}\n`);
    await sleep(20);
  }
  await lab.eventually("it is looked at", () => lab.calls("list") > looks);
  expect(lab.calls("list")).toBeLessThan(looks + 3);
});

it("requests for one agent's unknown servers don't delay another's new one", async () => {
  const [web, other, api] = [await lab.listen(), await lab.listen(), await lab.listen()];
  lab.declare("ada", "bob");
  lab.hideRegistrations("ada");
  lab.mngrSays("ada", "WAITING", { web: web.port });
  lab.mngrSays("bob", "WAITING", { web: other.port });
  await lab.start({ onRequest: 10, onRequestMax: 600_000 });
  for (let n = 0; n < 7; n += 1) {
    await sleep(12 * 2 ** n);
    expect(await portOf("bob", `nope-${n}`)).toBeUndefined();
  }
  // Longer than `asked`: all agents were looked at just now.
  await sleep(20);
  const looks = lab.calls("list");
  lab.mngrSays("ada", "WAITING", { web: web.port, api: api.port });
  expect(await portOf("ada", "api")).toBe(String(api.port));
  expect(lab.calls("list")).toBe(looks + 1);
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
  lab.declareAway(["far"], "modal");
  lab.ssh = { user: "root", host: "far.example", port: 22, key_path: "/key" };
  writeFileSync(join(lab.home, "bin", "ssh"), fakeSsh, { mode: 0o755 });
  lab.mngrSays("far", "WAITING", { web: before.port });
  await lab.start({ inUse: 50 });
  expect(await portOf("far")).toBe(String(before.port));
  lab.mngrSays("far", "WAITING", { web: after.port });
  await lab.eventually("the new one is used", async () => (await portOf("far")) === String(after.port));
});
