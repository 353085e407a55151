import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writePrivateFile } from "../../../components/host/files.ts";
import { type InstallationPaths, installationPaths } from "../../../components/host/installation-paths.ts";
import { sandboxOf } from "../../../components/sandbox/from-program.ts";
import { diagnoseSandboxes } from "../../../components/sandbox/inspect/doctor.ts";
import { writeSandbox } from "../../../components/sandbox/installed.ts";
import {
  filesOfSnapshot,
  lostSessions,
  openSessionIds,
  orphans,
  removeOrphans,
  sessionsWithSandboxes,
} from "../../../components/sandbox/orphans.ts";
import type { Sandbox } from "../../../components/sandbox/provider.ts";
import { serviceFilePath, sessionsFolder } from "../../../components/sandbox/sessions/folder.ts";
import { Records, recordsPath } from "../../../components/sandbox/sessions/runner/records.ts";
import { type FakeSessions, startFakeSessions } from "../../support/fake-sessions.ts";

const now = Date.parse("2026-11-30T12:00:00Z");
const sandbox = (id: string, session: string, hoursAgo: number) => ({
  id,
  labels: { installation: "0123456789ab", session },
  createdAt: new Date(now - hoursAgo * 3_600_000).toISOString(),
});

it("only sandboxes that no session has are orphans, and not while they are being made", async () => {
  const asked: unknown[] = [];
  const list = async (labels: Readonly<Record<string, string>>) => {
    asked.push(labels);
    return [
      sandbox("kept", "known", 20),
      sandbox("left", "unknown", 20),
      sandbox("being-made", "unknown", 0.1),
      sandbox("warming", "warm", 1),
      sandbox("warming-left", "warm", 5),
      { id: "unlabelled", labels: {}, createdAt: new Date(now - 72_000_000).toISOString() },
    ];
  };
  const found = await orphans({ list }, "0123456789ab", (session) => session === "known", now);
  expect(found.map(({ id }) => id)).toEqual(["left", "warming-left", "unlabelled"]);
  expect(asked).toEqual([{ installation: "0123456789ab" }]);
});

describe("orphans of an installation", () => {
  const [open, lost, ended, foreign] = ["0".repeat(20), "1".repeat(20), "2".repeat(20), "3".repeat(20)] as const;
  let home: string;
  let service: FakeSessions;
  let paths: InstallationPaths;

  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), "orphans-"));
    paths = installationPaths("0123456789ab", home);
    service = await startFakeSessions();
    const folder = sessionsFolder(paths);
    writePrivateFile(serviceFilePath(folder), JSON.stringify(service.file));
    const { spec } = sandboxOf("example", { repo: "me/app" });
    writeSandbox(paths, { spec, enabled: true, image: "image" });
    const records = new Records(recordsPath(folder));
    for (const id of [open, lost, ended]) {
      records.beginRun(`${id}-start`, id, "start");
      records.saveSession({
        ...{ id, changeling: "example", spec: JSON.stringify(spec), branch: null, sandbox: id, snapshot: null },
        ...{ state: null, expires_at: "2030", used_at: "2026", is_asleep: 0, reported_asleep: 0 },
      });
    }
    records.removeSession(ended);
    records.close();
    // The service has lost the session `lost`, as one that was deleted and deployed again.
    service.session({ id: open });
  });
  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    rmSync(home, { recursive: true });
  });

  async function removed(options: { readonly provenOnly?: boolean }): Promise<readonly string[]> {
    const terminated: string[] = [];
    const provider = {
      list: async () => [open, lost, ended, foreign].map((session) => sandbox(session, session, 1e6)),
      open: async (id: string) => ({ terminate: async () => void terminated.push(id) }) as unknown as Sandbox,
    };
    const ids = await removeOrphans("0123456789ab", paths, { ...options, open: async () => provider });
    expect(terminated).toEqual(ids);
    return ids;
  }

  it("never include a sandbox whose session the service has lost: the runner saves its work", async () => {
    expect([...(await sessionsWithSandboxes(paths))].sort()).toEqual([open, lost]);
    expect(await removed({})).toEqual([ended, foreign]);
  });

  it("are terminated without a person only if the runner has ended them before", async () => {
    expect(await removed({ provenOnly: true })).toEqual([ended]);
    rmSync(recordsPath(sessionsFolder(paths)));
    expect(await removed({ provenOnly: true })).toEqual([]);
  });

  it("are not known to doctor while the service does not answer, which it says once", async () => {
    service.goAway();
    const { spec } = sandboxOf("example", { repo: "me/app", isolation: "none" });
    writeSandbox(paths, { spec, enabled: true, image: "image" });
    const stack = { name: "dev", installation: "0123456789ab", paths, provider: undefined };
    const { deployed } = await diagnoseSandboxes(
      { ...stack, modal: async () => ({ kind: "not_asked" }) },
      {
        deep: false,
        declared: Promise.resolve({ changelings: [], settings: undefined, mngrProfile: undefined, isAbsent: true }),
        onModal: Promise.resolve(undefined),
      },
    );
    expect(deployed.map(({ name, status }) => [name, status])).toEqual([
      ["session service", "failed"],
      ["sandboxes on local", "ok"],
    ]);
  });

  it("exclude a lost session's snapshot, whose place doctor shows", async () => {
    const records = new Records(recordsPath(sessionsFolder(paths)));
    records.saveSnapshot(open, "snapshot-open");
    expect(lostSessions(paths, await openSessionIds(paths))).toEqual([]);
    records.saveSnapshot(lost, "snapshot-lost");
    records.close();
    const [found, ...others] = lostSessions(paths, await openSessionIds(paths));
    expect(found).toEqual({ id: lost, changeling: "example", provider: "local", snapshot: "snapshot-lost" });
    expect(others).toEqual([]);
    if (found === undefined) return;
    expect(filesOfSnapshot(paths, found)).toContain(
      `copy them from ${paths.sandboxes}/snapshots/snapshot-lost/files/workspace`,
    );
    expect(filesOfSnapshot(paths, { ...found, provider: "docker" })).toContain("docker cp lost:/workspace .");
    expect(filesOfSnapshot(paths, { ...found, provider: "modal" })).toContain("the image snapshot-lost on modal");
  });
});
