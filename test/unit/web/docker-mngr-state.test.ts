import { describe, expect, it } from "vitest";
import { isOnlyOurs, removeMngrState } from "../../../components/web/docker/mngr-state.ts";

const ours = { CREATOR: "changeling", changelings_installation: "0123456789ab" };
const record = (tags: Record<string, string>, stop_reason: string | null = "DESTROYED") =>
  `\x1e${JSON.stringify({ certified_host_data: { stop_reason, user_tags: tags } })}`;
const destroyed = record({ ...ours, changeling: "pages" });

describe("mngr's records of machines in Docker", () => {
  it.each([
    ["destroyed machines of this installation", destroyed + destroyed, true],
    [
      "those of another installation too",
      destroyed + record({ ...ours, changelings_installation: "ba9876543210" }),
      true,
    ],
    ["nobody's, as in an mngr that we never used", "", false],
    ["those of other installations alone", record({ ...ours, changelings_installation: "ba9876543210" }), false],
    ["a machine that is not destroyed", destroyed + record(ours, null), false],
    ["a machine that has stopped", destroyed + record(ours, "STOPPED"), false],
    ["a person's own machine, destroyed", destroyed + record({}), false],
    [
      "a machine that only says that it is ours",
      destroyed + record({ changelings_installation: "0123456789ab" }),
      false,
    ],
    ["a record that can't be read", `${destroyed}\x1e{"certified_host`, false],
    ["something else, so that the script fails", undefined, false],
  ])("is removed or kept: %s", (_, printed, expected) => {
    expect(isOnlyOurs(printed, "0123456789ab")).toBe(expected);
  });

  it("are removed with their volume if all are ours, and nothing else is", async () => {
    const calls: string[] = [];
    const printed: Record<string, string | undefined> = { ours: destroyed, theirs: record({}), broken: undefined };
    const docker = {
      running: async () => Object.keys(printed),
      exec: async (container: string) => printed[container],
      volumesOf: async (container: string) => [`${container}-volume`],
      removeContainer: async (container: string) => void calls.push(`rm ${container}`),
      deleteVolume: async (volume: string) => void calls.push(`volume rm ${volume}`),
    };
    expect(await removeMngrState(docker, "0123456789ab")).toEqual(["ours-volume"]);
    expect(calls).toEqual(["rm ours", "volume rm ours-volume"]);
  });
});
