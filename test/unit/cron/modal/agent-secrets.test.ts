import { describe, expect, it } from "vitest";
import { hostVolumes, removeAgentSecrets } from "../../../../components/cron/modal/agent-secrets.ts";
import { volumeInMemory } from "../../../support/volume-in-memory.ts";

const digits = (digit: string) => digit.repeat(32);
const hostOf = (digit: string, tags: Record<string, string>) =>
  JSON.stringify({ certified_host_data: { host_id: `host-${digits(digit)}`, host_name: "x", user_tags: tags } });

/** mngr's volumes: of five hosts, and its records of them. */
function modalWith({ running = [] as string[] } = {}) {
  const own = { changeling: "elf", changelings_stack: "dev" };
  const contents: Record<string, Record<string, string>> = {
    "mngr-modal-state": {
      [`hosts/host-${digits("a")}.json`]: hostOf("a", own),
      [`hosts/host-${digits("b")}.json`]: hostOf("b", own),
      [`hosts/host-${digits("c")}.json`]: hostOf("c", { ...own, changeling: "troll" }),
      [`hosts/host-${digits("d")}.json`]: hostOf("d", { ...own, changelings_stack: "prod" }),
      [`hosts/host-${digits("e")}.json`]: "no record",
      [`hosts/host-${digits("f")}.json`]: hostOf("f", own),
    },
    changelings_dev: { "stack.json": "{}" },
  };
  for (const digit of "abcde") {
    contents[`mngr-vol-${digits(digit)}`] = {
      env: digit === "b" ? "# without secrets\n" : "GH_TOKEN=x\n",
      "agents/agent-1/env": "API_KEY=x\n",
      "agents/agent-1/data.json": "{}",
    };
  }
  const removed: string[] = [];
  const memory = Object.fromEntries(
    Object.entries(contents).map(([name, files]) => [name, volumeInMemory(files).client]),
  );
  const client = {
    volumes: async () => Object.keys(contents).map((name) => ({ name, id: name })),
    files: async (volume: string, environment: string, folder: string) =>
      memory[volume]?.files(volume, environment, folder) ?? [],
    readFile: async (volume: string, environment: string, path: string) =>
      memory[volume]?.readFile(volume, environment, path),
    removeFile: async (volume: string, _environment: string, path: string) => {
      removed.push(`${volume.slice("mngr-vol-".length, 10)} ${path}`);
    },
    sandboxes: async () => running.map((digit) => ({ id: "sb-1", tags: { mngr_host_id: `host-${digits(digit)}` } })),
  };
  return { client, removed };
}

const of = { stack: "dev", environment: "mngr-me", changeling: "elf" };

describe("removeAgentSecrets", () => {
  it("removes what no watcher has cleaned, of this changeling alone", async () => {
    const { client, removed } = modalWith();
    await removeAgentSecrets(client, of);
    expect(removed).toEqual(["a env", "a agents/agent-1/env", "b agents/agent-1/env"]);
  });

  it("leaves an agent alone that runs", async () => {
    const { client, removed } = modalWith({ running: ["a"] });
    await removeAgentSecrets(client, of);
    expect(removed).toEqual(["b agents/agent-1/env"]);
  });
});

it("knows a host's volume by its name, also where mngr has cut it", () => {
  const names = ["mngr-vol-0123456789abcdef0123456789abcdef", "long-vol-0123456789ab", "changelings_dev", "my-vol-1"];
  expect(hostVolumes(names).map(({ digits: found }) => found)).toEqual([
    "0123456789abcdef0123456789abcdef",
    "0123456789ab",
  ]);
});
