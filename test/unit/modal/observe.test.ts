import { describe, expect, it } from "vitest";
import { ModalError } from "../../../components/modal/modal-error.ts";
import { nothingOnModal, observeModal } from "../../../components/modal/observe.ts";
import type { Modal, ObservedModal } from "../../../components/modal/types.ts";
import { homeDrift } from "../../../components/stack/modal-home.ts";

const identity = { version: 1, stack: "dev", userId: "me", prefix: "mngr-", environment: "mngr-me" } as const;

/** Modal with these volumes by environment; what it was asked is counted. */
function fakeModal(volumes: Record<string, string[]>) {
  const asked: string[] = [];
  const client: Pick<Modal, "environments" | "volumes" | "apps" | "secrets" | "readFile" | "files" | "hasImage"> = {
    environments: async () => Object.keys(volumes),
    volumes: async (environment) => {
      asked.push(environment);
      const found = volumes[environment] ?? [];
      if (found.includes("?")) throw new ModalError("not_found", `Environment ${environment} not found`);
      if (found.includes("!")) throw new ModalError("unreachable", "Modal is away");
      return found.map((name) => ({ name, id: `vo-${name}` }));
    },
    apps: async () => [{ id: "ap-1", name: "changeling_dev_elf", state: "deployed", createdAt: 1 }],
    secrets: async () => [{ id: "st-1", name: "changelings_dev" }],
    readFile: async (_volume, _environment, path) =>
      ({
        "stack.json": JSON.stringify(identity),
        "snapshots/app-main.json": '{"imageId":"im-live"}',
        "snapshots/app-old.json": '{"imageId":"im-deleted"}',
        "snapshots/app-odd.json": "no record",
      })[path],
    hasImage: async (id) => id === "im-live",
    files: async (_volume, _environment, folder) => [
      ...["main", "old", "odd"].map((label) => ({
        path: `${folder}/app-${label}.json`,
        isFolder: false,
        modifiedAt: 1_700_000_000,
        bytes: 2,
      })),
      { path: `${folder}/notes`, isFolder: true, modifiedAt: 1, bytes: 0 },
    ],
  };
  return { client: client as Modal, asked };
}

const home = ["changelings_dev", "changelings_dev_runs"];

describe("observeModal", () => {
  it("asks no other environment when this machine's own holds the home", async () => {
    const { client, asked } = fakeModal({ main: [], "mngr-me": home, "mngr-you": home });
    const observed = await observeModal({ stack: "dev", client, localEnvironment: "mngr-me" });
    expect(asked).toEqual(["mngr-me"]);
    expect(observed).toEqual({
      environment: "mngr-me",
      identity,
      apps: new Map([
        ["changeling_dev_elf", { id: "ap-1", name: "changeling_dev_elf", state: "deployed", createdAt: 1 }],
      ]),
      secrets: new Map([["changelings_dev", "st-1"]]),
      volumes: new Map(home.map((name) => [name, `vo-${name}`])),
      deployedIds: new Map(),
      snapshots: new Map([
        ["app-main", { recordedAt: 1_700_000_000, hasImage: true }],
        ["app-old", { recordedAt: 1_700_000_000, hasImage: false }],
        ["app-odd", { recordedAt: 1_700_000_000, hasImage: false }],
      ]),
    });
  });

  it("finds the home wherever it is, also beside an environment that goes away", async () => {
    const { client, asked } = fakeModal({ main: ["other"], gone: ["?"], "mngr-you": home, "mngr-me": [] });
    const observed = await observeModal({ stack: "dev", client, localEnvironment: "mngr-me" });
    expect(observed.environment).toBe("mngr-you");
    expect(asked.sort()).toEqual(["gone", "main", "mngr-me", "mngr-you"]);
  });

  it("is empty where nothing of the stack is", async () => {
    const { client } = fakeModal({ main: ["changelings_prod"] });
    expect(await observeModal({ stack: "dev", client, localEnvironment: undefined })).toEqual(nothingOnModal);
  });

  it("names the environments when there are several homes", async () => {
    const { client } = fakeModal({ b: home, a: home });
    await expect(observeModal({ stack: "dev", client, localEnvironment: "c" })).rejects.toThrow(
      "the stack's home volume changelings_dev exists in several environments: a, b; " +
        "delete the wrong ones with: modal volume delete changelings_dev --env ENVIRONMENT",
    );
  });

  it("does not take an environment that can't be asked for an empty one", async () => {
    const { client } = fakeModal({ a: ["!"], b: [] });
    await expect(observeModal({ stack: "dev", client, localEnvironment: undefined })).rejects.toThrow("Modal is away");
  });
});

describe("homeDrift", () => {
  const sound: ObservedModal = {
    ...nothingOnModal,
    environment: "mngr-me",
    identity,
    volumes: new Map(home.map((name) => [name, `vo-${name}`])),
    secrets: new Map([["changelings_dev", "st-1"]]),
  };
  it.each<[string, ObservedModal | undefined, string | undefined]>([
    ["nothing if Modal was not observed", undefined, undefined],
    ["nothing for an intact one", sound, undefined],
    ["a home that is gone", nothingOnModal, "its home volume is missing"],
    ["a home without identity", { ...sound, identity: undefined }, "its identity is missing on its home volume"],
    [
      "no runs volume",
      { ...sound, volumes: new Map([["changelings_dev", "vo-1"]]) },
      "its volume of run records is missing",
    ],
    ["no Secret", { ...sound, secrets: new Map() }, "its Modal Secret is missing"],
  ])("reports %s", (_, observed, words) => expect(homeDrift("dev", observed)).toBe(words));
});
