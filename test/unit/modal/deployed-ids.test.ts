import { describe, expect, it } from "vitest";
import {
  currentIds,
  deadId,
  deployedFile,
  deployedIdsOf,
  parseDeployedFile,
} from "../../../components/modal/deployed-ids.ts";
import { nothingOnModal } from "../../../components/modal/observe.ts";
import type { DeployedIds, ObservedModal } from "../../../components/modal/types.ts";

const ids: DeployedIds = { stackSecret: "st-stack", secret: "st-own", homeVolume: "vo-home", runsVolume: "vo-runs" };
const observed: ObservedModal = {
  ...nothingOnModal,
  secrets: new Map([
    ["changelings_dev", "st-stack"],
    ["changeling_dev_elf", "st-own"],
  ]),
  volumes: new Map([
    ["changelings_dev", "vo-home"],
    ["changelings_dev_runs", "vo-runs"],
  ]),
};
const elf = { stack: "dev", name: "elf" };
const file = (path: string) => ({ path, isFolder: false, modifiedAt: 1, bytes: 3 });

describe("the ids that an app is deployed with", () => {
  it("are those of the Secrets and volumes that it names", () => {
    expect(currentIds({ ...elf, hasSecrets: true }, observed)).toEqual(ids);
    expect(currentIds({ ...elf, hasSecrets: false }, observed)).toEqual({ ...ids, secret: undefined });
    expect(currentIds({ stack: "dev", name: "troll", hasSecrets: true }, observed)).toBeUndefined();
    expect(currentIds({ ...elf, hasSecrets: true }, nothingOnModal)).toBeUndefined();
  });

  it.each([ids, { ...ids, secret: undefined }])("survive a file name (%#)", (each) => {
    expect(parseDeployedFile(deployedFile("elf", each))).toEqual({ name: "elf", ids: each });
  });

  it("are not read from files of other kinds", () => {
    expect(
      deployedIdsOf(["deployed/elf", "deployed/elf.a.b.c", "deployed/.a.b.c.d", "deployed/a.b.c.d.e.f"].map(file)),
    ).toEqual(new Map());
  });
});

describe("deadId", () => {
  const having = (changes: Partial<DeployedIds>, ...more: DeployedIds[]): ObservedModal => ({
    ...observed,
    deployedIds: new Map([["elf", [{ ...ids, ...changes }, ...more]]]),
  });
  const gone = "was deleted or created again after its app was deployed";
  it.each<[string, ObservedModal, string | undefined]>([
    ["nothing for a sound app", having({}), undefined],
    ["nothing for one of which no ids are recorded", observed, undefined],
    ["the stack's Secret", having({ stackSecret: "st-old" }), `the stack's Modal Secret ${gone}`],
    ["its own Secret", having({ secret: "st-old" }), `its Modal Secret ${gone}`],
    ["the home volume", having({ homeVolume: "vo-old" }), `the stack's home volume ${gone}`],
    ["the runs volume", having({ runsVolume: "vo-old" }), `the stack's volume of run records ${gone}`],
    ["an interrupted deployment", having({}, { ...ids, secret: "st-old" }), `its Modal Secret ${gone}`],
  ])("reports %s", (_, live, words) => expect(deadId(elf, live)).toBe(words));
});
