import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type InstallationPaths, installationPaths } from "../../../components/host/installation-paths.ts";
import type { Agent } from "../../../components/mngr/client.ts";
import { webDrift } from "../../../components/web/agent/drift.ts";
import {
  newAgentId,
  readRecord,
  readRecords,
  recordPath,
  type WebRecord,
  writeRecord,
} from "../../../components/web/agent/record.ts";
import { digestOfSpec } from "../../../components/web/agent/spec.ts";
import { recordFor } from "../../../components/web/local/records.ts";
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
  it("are read as they were written, by nobody else", () => {
    const [elena, gone] = [record("elena", { applied: spec }), record("gone", { removed: true })];
    for (const each of [gone, elena]) writeRecord(paths, each);
    writeFileSync(join(paths.web, "elena.lock"), "");
    expect(readRecord(paths, "elena")).toEqual(elena);
    expect(readRecords(paths)).toEqual([elena, gone]);
    expect(statSync(recordPath(paths, "elena")).mode & 0o777).toBe(0o600);
  });

  it("are none where nothing was applied", () => {
    expect(readRecord(paths, "elena")).toBeUndefined();
    expect(readRecords(paths)).toEqual([]);
  });

  it("are refused with the remedy when they are something else", () => {
    writeRecord(paths, record("elena"));
    writeFileSync(recordPath(paths, "elena"), "{");
    expect(() => readRecord(paths, "elena")).toThrow(
      `${recordPath(paths, "elena")} is not a record of a web changeling; remove it, then: pulumi up`,
    );
    expect(readRecords(paths)).toEqual([]);
  });
});

describe("recordFor", () => {
  const lines: string[] = [];
  const web = () => ({
    installation: "0123456789ab",
    paths,
    env: {},
    mngr: () => {
      throw new Error("mngr is not asked");
    },
    log: (line: string) => lines.push(line),
  });
  const agent = (labels: Record<string, string>): Agent => ({
    id: newAgentId(),
    name: "elena",
    state: "WAITING",
    labels,
    plugin: {},
  });

  it("gives a new one an id, and places of its own", () => {
    const made = recordFor(spec, undefined, [], web());
    expect(made).toEqual({
      version: 1,
      name: "elena",
      agentId: expect.stringMatching(/^agent-[0-9a-f]{32}$/),
      agentName: "elena",
      provider: "local",
      repo: join(home, ".changelings", made.agentId),
      data: join(home, ".changelings", `${made.agentId}.data`),
    });
    expect(recordFor(spec, undefined, [], web())).toEqual(made);
  });

  it("gives a removed one its own back", () => {
    const removed = record("elena", { removed: true, applied: spec });
    writeRecord(paths, removed);
    const { removed: _removed, ...kept } = removed;
    expect(recordFor({ ...spec, data: "/srv/data" }, undefined, [], web())).toEqual(kept);
  });

  it("moves that of the former name, also when that was cut short", () => {
    const former = record("elena", { applied: spec });
    writeRecord(paths, former);
    const renamed = { ...spec, name: "elly", data: "/srv/data" };
    const moved = { ...former, name: "elly", agentName: "elly" };
    expect(recordFor(renamed, "elena", [], web())).toEqual(moved);
    writeRecord(paths, former);
    expect(recordFor(renamed, "elena", [], web())).toEqual(moved);
    expect(readRecords(paths)).toEqual([moved]);
  });

  it("finds the agent again by its labels when the record is lost", () => {
    const labels = {
      CREATOR: "changeling",
      changeling: "elena",
      changeling_kind: "web",
      changelings_installation: "0123456789ab",
    };
    const ours = agent(labels);
    const others = agent({ ...labels, changelings_installation: "another" });
    expect(recordFor(spec, undefined, [others, ours], web()).agentId).toBe(ours.id);
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
    ["was made anew by hand", elena, [agent("WAITING", "0".repeat(16))], "it was redeployed by hand"],
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
