import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type InstallationPaths, installationPaths } from "../../../components/host/installation-paths.ts";
import { type Agent, mngrClient } from "../../../components/mngr/client.ts";
import { webDrift } from "../../../components/web/agent/drift.ts";
import {
  newAgentId,
  readRecord,
  readRecords,
  recordPath,
  type WebRecord,
  writeRecord,
} from "../../../components/web/agent/record.ts";
import { digestOfSpec, type WebSpec } from "../../../components/web/agent/spec.ts";
import type { PlacedAgent } from "../../../components/web/life-cycle/agent-host.ts";
import { recordFor } from "../../../components/web/life-cycle/apply.ts";
import { localHost } from "../../../components/web/local/local-host.ts";
import { webSpecOf } from "../../support/web-spec.ts";

const spec = webSpecOf({ agentType: "chat" });
let home: string;
let paths: InstallationPaths;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "records-"));
  paths = installationPaths("0123456789ab", home);
});
afterEach(() => rmSync(home, { recursive: true }));

const record = (name: string, more: Partial<WebRecord> = {}): WebRecord => ({
  version: 1,
  name,
  agentId: newAgentId(),
  agentName: name,
  provider: "local",
  repo: "/srv/repo",
  data: "/srv/data",
  ...more,
});

describe("records", () => {
  it("are read as they were written, and private", () => {
    const [elena, gone] = [record("elena", { applied: spec }), record("gone", { removed: true })];
    for (const each of [gone, elena]) writeRecord(paths, each);
    writeFileSync(join(paths.web, "elena.lock"), "");
    expect(readRecord(paths, "elena")).toEqual(elena);
    expect(readRecords(paths)).toEqual([elena, gone]);
    expect(statSync(recordPath(paths, "elena")).mode & 0o777).toBe(0o600);
  });

  it("do not exist before anything is applied", () => {
    expect(readRecord(paths, "elena")).toBeUndefined();
    expect(readRecords(paths)).toEqual([]);
  });

  it("are rejected with the remedy if they are invalid", () => {
    writeRecord(paths, record("elena"));
    writeFileSync(recordPath(paths, "elena"), "{");
    expect(() => readRecord(paths, "elena")).toThrow(
      `${recordPath(paths, "elena")} is not a record of a web changeling; remove it, then: pulumi up`,
    );
    expect(readRecords(paths)).toEqual([]);
  });
});

describe("recordFor", () => {
  const made = (of: WebSpec, former?: string, agents: readonly PlacedAgent[] = []) => {
    const mngr = mngrClient({});
    const host = localHost(undefined, {
      installation: "0123456789ab",
      paths,
      env: {},
      mngr: () => mngr,
      log: () => {},
    });
    return recordFor(of, former, { agents, host });
  };
  const agent = (labels: Record<string, string>): PlacedAgent => ({
    id: newAgentId(),
    name: "elena",
    state: "WAITING",
    labels,
    plugin: {},
    host: { id: "host-0", name: "localhost", provider_name: "local", snapshots: [] },
  });

  it("gives a new changeling an id and its own folders", async () => {
    const first = await made(spec);
    expect(first).toEqual({
      version: 1,
      name: "elena",
      agentId: expect.stringMatching(/^agent-[0-9a-f]{32}$/),
      agentName: "elena",
      provider: "local",
      repo: join(home, ".changelings", first.agentId),
      data: join(home, ".changelings", `${first.agentId}.data`),
    });
    expect(await made(spec)).toEqual(first);
  });

  it("restores a removed changeling's own", async () => {
    const removed = record("elena", { removed: true, applied: spec });
    writeRecord(paths, removed);
    const { removed: _removed, ...kept } = removed;
    expect(await made({ ...spec, data: "/srv/data" })).toEqual(kept);
  });

  it("moves the record of the old name, also after an interruption", async () => {
    const former = record("elena", { applied: spec });
    writeRecord(paths, former);
    const renamed = { ...spec, name: "elly", data: "/srv/data" };
    const moved = { ...former, name: "elly", agentName: "elly" };
    expect(await made(renamed, "elena")).toEqual(moved);
    writeRecord(paths, former);
    expect(await made(renamed, "elena")).toEqual(moved);
    expect(readRecords(paths)).toEqual([moved]);
  });

  it("finds the agent by its labels if the record is lost", async () => {
    const labels = {
      CREATOR: "changeling",
      changeling: "elena",
      changeling_kind: "web",
      changelings_installation: "0123456789ab",
    };
    const ours = agent(labels);
    const others = agent({ ...labels, changelings_installation: "another" });
    expect((await made(spec, undefined, [others, ours])).agentId).toBe(ours.id);
  });
});

describe("webDrift", () => {
  const elena = record("elena", { applied: spec });
  const stopped = { ...elena, applied: { ...spec, enabled: false } };
  const agent = (state: string, digest = digestOfSpec(spec)): Agent => ({
    id: elena.agentId,
    name: "elena",
    state,
    labels: { changeling_digest: digest },
    plugin: {},
  });

  it.each([
    ["is as applied", elena, [agent("WAITING")], undefined],
    ["works", elena, [agent("RUNNING_UNKNOWN_AGENT_TYPE")], undefined],
    ["ended", elena, [agent("DONE")], "its agent died (DONE)"],
    ["was stopped", elena, [agent("STOPPED")], "its agent was stopped"],
    ["is not there", elena, [], "its agent is gone"],
    ["is another's", elena, [{ ...agent("WAITING"), id: newAgentId() }], "its agent is gone"],
    ["was created again by hand", elena, [agent("WAITING", "0".repeat(16))], "it was redeployed by hand"],
    ["is unknown to mngr", elena, undefined, undefined],
    ["is stopped as declared", stopped, [agent("STOPPED")], undefined],
    ["is stopped, and never was", stopped, [], undefined],
    ["was started by hand", stopped, [agent("WAITING")], "its agent was started by hand"],
    ["has no record", undefined, [], "its record is missing"],
    ["has the record of a removed one", { ...elena, removed: true as const }, [], "its record is missing"],
    ["never came up", record("elena"), [], undefined],
  ])("of an agent that %s", (_what, of, agents, drift) => {
    expect(webDrift(of, agents)).toBe(drift);
  });
});
