import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { endRuns } from "../../../../components/cron/modal/end-runs.ts";
import type { Modal, Sandbox } from "../../../../components/modal/types.ts";

const of = { stack: "dev", environment: "mngr-x", changeling: "bee" };
const quickly = { seconds: 0.2, everySeconds: 0.01 };
const gone = "its changeling was removed while it was running; what it had not pushed is lost with its sandbox";
const boxOf = (run: string): Sandbox => ({ id: `sb-${run}`, tags: { mngr_user_changeling_run: run } });

let said: string;
beforeEach(() => {
  said = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said += text;
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

/** What each sandbox does when it must end: it is unreachable, it does not answer, or it exists for so many more checks. */
type Behaviour = "unreachable" | "silent" | number;

/** Modal with running sandboxes; those that end by themselves record it. */
function modalWith(behaviours: Readonly<Record<string, Behaviour>>) {
  const running = new Map(Object.keys(behaviours).map((run) => [run, Number.POSITIVE_INFINITY]));
  const calls: string[] = [];
  const records = new Map<string, unknown>();
  let isAway = false;
  const listed = () => [...running.keys()].map(boxOf);
  const client: Pick<Modal, "sandboxes" | "runInSandbox" | "endSandboxes" | "readFile" | "writeFiles"> = {
    async sandboxes(environment, tags) {
      calls.push("list");
      expect([environment, tags]).toEqual([
        "mngr-x",
        { mngr_user_changelings_stack: "dev", mngr_user_changeling: "bee" },
      ]);
      if (isAway) throw new Error("away");
      for (const [run, looks] of running) {
        if (looks > 0) running.set(run, looks - 1);
        else {
          running.delete(run);
          records.set(`bee/${run}/ended.json`, "its own");
        }
      }
      return listed();
    },
    async runInSandbox(id, script) {
      const run = id.slice("sb-".length);
      calls.push(`tell ${run}`);
      expect(script).toMatch(/^#!\/bin\/sh\n/);
      const behaviour = behaviours[run];
      if (behaviour === "unreachable") throw new Error("no such sandbox");
      if (typeof behaviour !== "number") return "";
      running.set(run, behaviour);
      return run === "old" ? "snapshots\n" : "pushes\n";
    },
    async endSandboxes() {
      const ended = listed();
      calls.push(`end ${ended.map(({ id }) => id).join(" ")}`.trim());
      running.clear();
      return ended.map(({ tags }) => ({ ...tags }));
    },
    async readFile(volume, _environment, path) {
      expect(volume).toBe("changelings_dev_runs");
      return records.has(path) ? "{}" : undefined;
    },
    async writeFiles(volume, _environment, files) {
      expect(volume).toBe("changelings_dev_runs");
      for (const [path, text] of Object.entries(files)) records.set(path, JSON.parse(text));
    },
  };
  return {
    client,
    calls,
    records,
    beAway: (value: boolean) => {
      isAway = value;
    },
  };
}

describe("the runs of a changeling that is removed", () => {
  it("are listed, and nothing else happens if there are none", async () => {
    const { client, calls } = modalWith({});
    await endRuns(client, of, quickly);
    expect(calls).toEqual(["list"]);
    expect(said).toBe("");
  });

  it("are asked to end, and waited for", async () => {
    const { client, calls, records } = modalWith({ one: 3, two: 1 });
    await endRuns(client, of, quickly);
    expect(calls).toEqual(["list", "tell one", "tell two", "list", "list", "list", "list", "end"]);
    expect([...records]).toEqual([
      ["bee/two/ended.json", "its own"],
      ["bee/one/ended.json", "its own"],
    ]);
    expect(said).toBe("one pushes what it has committed, and ends\ntwo pushes what it has committed, and ends\n");
  });

  it("are terminated if they can't be asked or take too long, and recorded as such", async () => {
    const { client, calls, records } = modalWith({ far: "unreachable", mute: "silent", slow: 1000, old: 1 });
    await endRuns(client, of, quickly);
    expect(calls.at(-1)).toBe("end sb-far sb-mute sb-slow");
    expect(Object.fromEntries(records)).toEqual({
      "bee/old/ended.json": "its own",
      ...Object.fromEntries(
        ["far", "mute", "slow"].map((run) => [
          `bee/${run}/ended.json`,
          {
            event: "ended",
            at: expect.stringMatching(/Z$/),
            changeling: "bee",
            id: run,
            outcome: "failed",
            reason: gone,
            commits: [],
          },
        ]),
      ),
    });
    expect(said.split("\n")).toEqual([
      "warning: far is ended without a push: no such sandbox",
      "mute is ended: it has no agent yet",
      "slow pushes what it has committed, and ends",
      "old is snapshotted, and ends",
      "warning: the runs of bee did not finish within 0.2 s, and are ended now",
      "",
    ]);
  });

  it("are not waited for if none could be asked", async () => {
    const { client, calls } = modalWith({ far: "unreachable" });
    await endRuns(client, of, quickly);
    expect(calls).toEqual(["list", "tell far", "end sb-far"]);
  });

  it("are waited for while Modal does not answer", async () => {
    const modal = modalWith({ one: 0 });
    const { runInSandbox } = modal.client;
    modal.client.runInSandbox = async (...args) => {
      modal.beAway(true);
      setTimeout(() => modal.beAway(false), 50);
      return runInSandbox(...args);
    };
    await endRuns(modal.client, of, quickly);
    expect(modal.calls.at(-1)).toBe("end");
    expect(modal.records.get("bee/one/ended.json")).toBe("its own");
  });
});
