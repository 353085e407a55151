import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { mngrClient } from "../../../components/mngr/client.ts";
import { brokenAgents, mngrHostDir } from "../../../components/mngr/host-dir.ts";

let home: string;
let agents: string;
const id = `agent-${"1".repeat(32)}`;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "broken-"));
  agents = join(home, ".mngr", "agents");
  for (const [agent, data] of [
    [id, ""],
    [`agent-${"2".repeat(32)}`, '{ "id": 1 }'],
  ] as const) {
    mkdirSync(join(agents, agent), { recursive: true });
    writeFileSync(join(agents, agent, "data.json"), data);
  }
  mkdirSync(join(agents, "agent-without-data"));
  // What mngr 0.3.0 says when the file of any agent is empty.
  mkdirSync(join(home, "bin"));
  const said = "WARNING: json was invalid\nERROR: Error processing host host-1";
  const words = `#!/bin/sh\n[ "$1" = stop ] && exit 8\nprintf '%s\\n' '${said}' >&2\nexit 1\n`;
  writeFileSync(join(home, "bin", "mngr"), words, { mode: 0o755 });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

it("an agent of mngr's whose data.json is cut short is found", () => {
  const folder = join(agents, id);
  expect(brokenAgents(join(home, ".mngr"))).toEqual([{ folder, file: join(folder, "data.json") }]);
  expect(brokenAgents(join(home, "nowhere"))).toEqual([]);
});

it("is named, with the remedy, by whatever mngr then fails at", async () => {
  const mngr = mngrClient({ PATH: `${join(home, "bin")}:/usr/bin:/bin`, HOME: home });
  const folder = join(agents, id);
  const why =
    `${join(folder, "data.json")} is not JSON, and mngr fails because of it: ` +
    `move that agent aside (its work tree and branch stay): mv ${folder} ${join(home, ".mngr", `broken-${id}`)}`;
  await expect(mngr.list()).rejects.toThrow(why);
  await expect(mngr.destroy(["agent-3"])).rejects.toThrow(why);
  // mngr says that it is not there; but its terminal may be.
  await expect(mngr.stop(id)).rejects.toThrow(why);
  await expect(mngr.stop("agent-3")).resolves.toBeUndefined();
});

it("mngr's host dir is where its variables say", () => {
  expect(mngrHostDir({ HOME: "/h" })).toBe("/h/.mngr");
  expect(mngrHostDir({ HOME: "/h", MNGR_ROOT_NAME: "other" })).toBe("/h/.other");
  expect(mngrHostDir({ HOME: "/h", MNGR_HOST_DIR: "/m" })).toBe("/m");
});
