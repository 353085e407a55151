import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sharedPorts } from "../../../components/seed-agent/checks.ts";
import { type SeedAgentChangelingOptions, seedAgentOf } from "../../../components/seed-agent/from-program.ts";
import { readSettings } from "../../../components/seed-agent/program/settings.ts";
import { secretVariables, serviceVariables } from "../../../components/seed-agent/service-variables.ts";
import { Sandbox } from "../../support/fleet-sandbox.ts";

const messages = (options: SeedAgentChangelingOptions) => {
  try {
    seedAgentOf("sprout", options);
    return "";
  } catch (error) {
    return String(error);
  }
};

describe("a seed agent without options", () => {
  const { spec, requiredSecrets, secrets } = seedAgentOf("sprout");

  it("has the specification's defaults, and needs no account", () => {
    expect(spec).toMatchObject({ provider: "local", replicas: 1, port: 4000, mode: "propose", volumeGb: 5 });
    expect(requiredSecrets).toEqual([]);
    expect(secrets).toEqual(["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"]);
  });

  it("has settings that the service accepts", () => {
    const read = readSettings(serviceVariables(spec));
    expect(read).toMatchObject({ settings: { SEED_NAME: "sprout", PORT: 4000, SEED_MODE: "propose" } });
  });
});

describe("a seed agent on Fly", () => {
  it("has two nodes in Seattle, with a database", () => {
    const { spec } = seedAgentOf("sprout", { provider: "fly", secrets: ["DATABASE_URL"] });
    expect(spec).toMatchObject({ replicas: 2, fly: { region: "sea" }, kubernetes: undefined });
  });
});

describe("a seed agent on Kubernetes", () => {
  it.each([
    "seed-agent",
    "ghcr.io/me/seed-agent:1.0.0",
    "localhost:5000/seed_agent:v1",
    "123.dkr.ecr.eu-west-1.amazonaws.com/team/seed.agent:latest",
    `me/seed@sha256:${"0".repeat(64)}`,
    `me/seed:1@sha256:${"0".repeat(64)}`,
  ])("takes the image %s", (containerImage) => {
    const { spec } = seedAgentOf("sprout", { provider: "kubernetes", containerImage });
    expect(spec.kubernetes).toMatchObject({ image: containerImage, namespace: "default" });
  });
});

describe("a seed agent's options", () => {
  it.each<[SeedAgentChangelingOptions, RegExp]>([
    [{ replicas: 3 }, /replicas: 3 nodes need a database that they share; add "DATABASE_URL" to secrets/],
    [{ provider: "fly" }, /replicas: on fly it has 2 nodes, which need a database .* or write replicas = 1/],
    [{ port: 65_535, replicas: 2, secrets: ["DATABASE_URL"] }, /port: .*the highest port is 65535; write port = 65534/],
    [{ provider: "kubernetes" }, /containerImage: kubernetes needs the image/],
    [{ provider: "kubernetes", containerImage: "a b" }, /containerImage: .*is not an image name/],
    [{ provider: "kubernetes", containerImage: "https://ghcr.io/me/seed" }, /containerImage: .*is not an image name/],
    [{ provider: "kubernetes", containerImage: "me/seed@sha256:12" }, /containerImage: .*is not an image name/],
    [{ provider: "kubernetes", containerImage: "-t" }, /containerImage: .*is not an image name/],
    [
      { provider: "kubernetes", containerImage: "me/seed", port: 9091 },
      /port: on kubernetes, the port 9091 serves its metrics/,
    ],
    [{ region: "fra" }, /region: region is only for provider = "fly"/],
    [{ namespace: "agents" }, /namespace: namespace is only for provider = "kubernetes"/],
    [{ volumeGb: 6 }, /volumeGb: volume_gb is only for provider = "fly" or "kubernetes"/],
    [
      { secrets: ["RELEASE_COOKIE"] },
      /secrets\[0\]: `up` generates RELEASE_COOKIE; remove it; to get a new one, raise/,
    ],
    [{ env: { SEED_MODE: "auto" } }, /env\.SEED_MODE: an option sets SEED_MODE; remove it, and set the option mode/],
    [{ env: { SEED_NODE: "x" } }, /env\.SEED_NODE: the deployment sets SEED_NODE/],
    [{ env: { SEED_MEMORY_BM: "1" } }, /env\.SEED_MEMORY_BM: .*did you mean SEED_MEMORY_MB\?/],
    [{ env: { SEED_MEMORY_MB: "8" } }, /env\.SEED_MEMORY_MB: is not valid: /],
    [{ env: { DATABASE_URL: "postgres://x" } }, /DATABASE_URL is a secret, .*add "DATABASE_URL" to secrets/],
    [{ env: { SEED_CONTROL_TOKEN: "x" } }, /SEED_CONTROL_TOKEN is a secret, .*`up` generates it/],
    [{ env: { LD_PRELOAD: "/tmp/x.so" } }, /LD_PRELOAD/],
    [{ goal: "no-such-goal.md" }, /goal: there is no file .*no-such-goal\.md/],
  ])("%j is rejected", (options, message) => expect(messages(options)).toMatch(message));

  it("are all checked together, and no value of env is shown", () => {
    const message = messages({ replicas: 2, region: "fra", env: { SEED_FENCE: "sk-ant-secret", SEED_X: "1" } });
    for (const part of [/replicas:/, /region:/, /env\.SEED_FENCE/, /env\.SEED_X/]) expect(message).toMatch(part);
    expect(message).not.toContain("sk-ant");
  });

  it("accept each of the service's secrets", () => {
    expect(messages({ secrets: [...secretVariables], replicas: 3 })).toBe("");
    expect(seedAgentOf("sprout", { secrets: ["DATABASE_URL"] }).requiredSecrets).toEqual([["DATABASE_URL"]]);
  });
});

describe("the ports of a fleet's seed agents", () => {
  const secrets = ["DATABASE_URL"];
  it.each([
    [{ port: 4000 }, { port: 4000 }, 4000],
    [{ port: 4000, replicas: 3, secrets }, { port: 4002, provider: "docker" as const }, 4002],
    [{ port: 4000, replicas: 2, secrets }, { port: 4002 }, undefined],
    [{ port: 4000 }, { port: 4000, provider: "fly" as const, secrets }, undefined],
    [{ port: 4000 }, { port: 4000, enabled: false }, undefined],
  ])("%j and %j have in common: %s", (one, other, port) => {
    const found = sharedPorts([seedAgentOf("one", one), seedAgentOf("other", other)]);
    expect(found.get("other")?.port).toBe(port);
    expect(found.has("one")).toBe(false);
  });
});

describe("a fleet file with seed agents", () => {
  const sandbox = new Sandbox();
  beforeAll(() => writeFileSync(join(sandbox.folder, "goal.md"), "Answer faster.\n"));
  afterAll(() => sandbox[Symbol.dispose]());

  it("has their goals, whose paths are relative to it", async () => {
    const { fleet, diagnostics } = await sandbox.load('[changelings.sprout]\nkind = "seed-agent"\ngoal = "goal.md"\n');
    expect(diagnostics).toEqual([]);
    expect(fleet?.changelings).toMatchObject([{ kind: "seed-agent", spec: { goal: "Answer faster.\n" } }]);
  });

  it("is rejected with every error, its line and its remedy", async () => {
    const text = `[changelings.one]
kind = "seed-agent"
goal = "gaol.md"
[changelings.other]
kind = "seed-agent"
branch = "next"
`;
    expect(await sandbox.diagnosticsOf(text)).toEqual([
      expect.stringMatching(/^config\.toml:3: changelings\.one\.goal: there is no file .*gaol\.md/),
      expect.stringMatching(/→ correct the path/),
      expect.stringMatching(
        /^config\.toml:\d: changelings\.other(\.port)?: one also uses the port 4000 of this machine/,
      ),
      "→ write another port, such as port = 4001",
      expect.stringMatching(/:6: changelings\.other\.branch: branch has no effect for a seed agent/),
      "→ remove the line",
    ]);
  });
});

it("a goal that is too long or empty is rejected", () => {
  const folder = mkdtempSync(join(tmpdir(), "goal-"));
  const file = join(folder, "goal.md");
  writeFileSync(file, "x".repeat(65_537));
  expect(messages({ goal: file })).toMatch(/has 65,537 bytes, and the maximum is 65,536/);
  writeFileSync(file, " \n");
  expect(messages({ goal: file })).toMatch(/is empty/);
  rmSync(folder, { recursive: true });
});
