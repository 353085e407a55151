import { describe, expect, it } from "vitest";
import { seedAgentOf } from "../../../components/seed-agent/from-program.ts";
import { addedTo } from "../../../components/seed-agent/inspect/list.ts";
import { describeSeedAgent } from "../../../components/seed-agent/inspect/plan.ts";
import {
  environmentOfSeedAgent,
  seedAgentEnvironment,
  specOfSeedAgent,
} from "../../../components/seed-agent/seed-agent-environment.ts";

const component = "changelings:seed-agent:SeedAgentChangeling";
const installed = { installation: "0123456789ab", release: "r1" };

describe("the environment of a seed agent's Command", () => {
  it.each([
    seedAgentOf("sprout"),
    seedAgentOf("sprout", {
      ...{ provider: "kubernetes", containerImage: "me/seed:1", namespace: "agents", context: "home", volumeGb: 9 },
      ...{ storageClass: "fast", replicas: 3, secrets: ["DATABASE_URL"], env: { SEED_MEMORY_MB: "300" } },
      ...{ mode: "auto", model: "codex", changesPerDay: 0.5, usdPerDay: 2, probationSeconds: 5, port: 81 },
    }),
    seedAgentOf("sprout", {
      provider: "fly",
      app: "mine",
      organization: "us",
      region: "fra",
      secrets: ["DATABASE_URL"],
    }),
  ])("has all of its spec: %#", (declared) => {
    const values = seedAgentEnvironment.decode(environmentOfSeedAgent(declared, installed));
    expect(specOfSeedAgent(values)).toEqual(declared.spec);
  });

  it("names an app on Fly after the installation, unless it is declared", () => {
    const declared = seedAgentOf("sprout", { provider: "fly", replicas: 1 });
    const values = seedAgentEnvironment.decode(environmentOfSeedAgent(declared, installed));
    expect(specOfSeedAgent(values).fly?.app).toBe("sprout-0123456789ab");
  });
});

describe("a plan", () => {
  const change = (before: Record<string, string>, after: Record<string, string>) =>
    describeSeedAgent({ component, name: "sprout-service", action: "change", before, after, reason: undefined });

  it("says what changes for the agent, and shows neither its goal nor its secrets", () => {
    const words = change(
      { MODE: "off", GOAL: "old", RELEASE: "r1", CREDENTIALS: "[secret]", VALUES: "[secret]", PROVIDER: "local" },
      { MODE: "auto", GOAL: "new", RELEASE: "r2", CREDENTIALS: "04da6b54", VALUES: "[secret]", PROVIDER: "docker" },
    );
    expect(words?.fields?.map(({ field }) => field)).toEqual(["mode", "provider"]);
    expect(words?.notes).toEqual([
      "it gets a new goal",
      "its nodes get a new release of the service, one after another",
      "its nodes get new credentials",
      "its data on local is kept there, and is not moved",
    ]);
  });

  it.each([
    ["yes", "its nodes are removed; its data is deleted"],
    ["no", "its nodes are removed; its data is kept"],
  ])("with destroy_data %s says that %s", (word, note) => {
    const command = { component, name: "sprout-service", action: "remove", reason: undefined } as const;
    expect(describeSeedAgent({ ...command, before: { DESTROY_DATA: word }, after: {} })?.notes).toEqual([note]);
  });
});

describe("the lines that were added to a log", () => {
  it.each([
    ["", "a\nb\n", "a\nb"],
    ["a\nb\n", "a\nb\n", ""],
    ["a\nb\n", "a\nb\nc\n", "c"],
    ["a\nb\nc\n", "c\nd\n", "d"],
    ["a\nb\n", "x\ny\n", "x\ny"],
    ["a\na\n", "a\na\na\n", "a"],
  ])("%j, then %j: %j", (before, now, added) => expect(addedTo(before, now)).toBe(added));
});
