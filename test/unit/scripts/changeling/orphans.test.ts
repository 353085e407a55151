import { describe, expect, it } from "vitest";
import {
  appName,
  homeVolumeName,
  runsVolumeName,
  secretName,
  stackSecretName,
} from "../../../../components/modal/names.ts";
import { nothingOnModal } from "../../../../components/modal/observe.ts";
import type { App, ObservedModal } from "../../../../components/modal/types.ts";
import { type Declared, orphanEnvironments, orphansIn } from "../../../../scripts/changeling/doctor/modal-orphans.ts";

const long = "a-changeling-with-a-name-of-forty-letters";

function app(name: string, state: App["state"] = "deployed"): [string, App] {
  return [name, { id: `ap-${name}`, name, state, createdAt: 0 }];
}

/** Resources of two known stacks, and of an unknown one. */
const observed: ObservedModal = {
  ...nothingOnModal,
  environment: "mngr-me",
  apps: new Map([
    app(appName("prod", "fairy")),
    app(appName("prod", long)),
    app(appName("prod", "gone")),
    app(appName("prod", "stopped"), "stopped"),
    app(appName("staging", "fairy")),
    app(appName("lost", "troll")),
    app("mngr-modal"),
    app("somebody-elses"),
  ]),
  secrets: new Map(
    [
      ...["fairy", "gone", "stopped"].map((name) => secretName("prod", name)),
      ...["prod", "staging", "lost"].map(stackSecretName),
      "openai",
    ].map((name) => [name, `st-${name}`]),
  ),
  volumes: new Map(
    [
      ...["prod", "staging", "lost"].flatMap((stack) => [homeVolumeName(stack), runsVolumeName(stack)]),
      "mngr-modal-state",
    ].map((name) => [name, `vo-${name}`]),
  ),
  snapshots: new Map([
    ["used", { recordedAt: 1, hasImage: true }],
    ["left", { recordedAt: 2, hasImage: true }],
  ]),
};

const declared: Declared = {
  stack: "prod",
  changelings: new Set(["fairy", long]),
  snapshots: new Set(["used"]),
  stacks: ["dev", "staging"],
};

const commands = (given: Partial<Declared>) =>
  orphansIn(observed, { ...declared, ...given }).map(({ command }) => command);

const ours = [
  "modal secret delete changeling_prod_gone --env mngr-me --yes",
  "modal secret delete changeling_prod_stopped --env mngr-me --yes",
  "modal app stop changeling_prod_gone --env mngr-me --yes",
  "modal volume rm changelings_prod snapshots/left.json --env mngr-me",
];
const others = [
  "modal secret delete changelings_lost --env mngr-me --yes",
  "modal app stop changeling_lost_troll --env mngr-me --yes",
  "modal volume delete changelings_lost --env mngr-me --yes",
  "modal volume delete changelings_lost_runs --env mngr-me --yes",
];

describe("orphansIn", () => {
  it("finds resources that no changeling of the stack declares, and those of unknown stacks", () => {
    expect(commands({}).sort()).toEqual([...ours, ...others].sort());
  });

  it("judges nothing that it can't know", () => {
    expect(commands({ changelings: undefined }).sort()).toEqual([...others].sort());
    expect(commands({ stacks: undefined }).sort()).toEqual([...ours].sort());
    expect(orphansIn(nothingOnModal, declared)).toEqual([]);
  });

  it("distinguishes its own from those of others", () => {
    expect(orphansIn(observed, declared).filter(({ isOurs }) => isOurs)).toHaveLength(ours.length);
  });
});

describe("orphanEnvironments", () => {
  const volumes = new Map([
    ["mngr-other-machine", [homeVolumeName("staging"), runsVolumeName("staging"), "mngr-modal-state"]],
    ["mngr-leaked", [homeVolumeName("lost"), runsVolumeName("lost")]],
    ["mngr-second", [homeVolumeName("prod")]],
    ["mngr-agents-alone", ["mngr-modal-state"]],
  ]);

  it("are those with a home of an unknown stack, or a second home of this one", () => {
    expect(orphanEnvironments(volumes, declared).map(({ command }) => command)).toEqual([
      "modal environment delete mngr-leaked --yes",
      "modal environment delete mngr-second --yes",
    ]);
  });

  it("are none where the stacks are not known", () => {
    expect(orphanEnvironments(volumes, { ...declared, stacks: undefined })).toEqual([]);
  });
});
