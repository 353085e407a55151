import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ProgramOptions } from "../../../../components/lib/process.ts";
import { flyProvider } from "../../../../components/seed-agent/fly/provider.ts";
import type { SeedAgentProvider } from "../../../../components/seed-agent/provider.ts";
import type { SeedAgentSpec } from "../../../../components/seed-agent/spec.ts";
import { onFly, seedSecrets } from "../../../support/deployed-seed.ts";
import { FakeFlyctl } from "../../../support/fake-flyctl.ts";

/** The stand-in works in this process, so that all faults can be tried; the last test runs it as a program. */
const place = vi.hoisted(() => ({ isProgram: false, run: undefined as FakeFlyctl["run"] | undefined }));
vi.mock("../../../../components/lib/process.ts", async (original) => {
  const real = await original<typeof import("../../../../components/lib/process.ts")>();
  return {
    ...real,
    runProgram: async (command: string, argv: readonly string[], given: ProgramOptions) =>
      place.isProgram || place.run === undefined ? real.runProgram(command, argv, given) : place.run(argv, given),
  };
});

let flyctl: FakeFlyctl;
let provider: SeedAgentProvider;
let folder: string;
let built: number;

beforeEach(() => {
  flyctl = new FakeFlyctl();
  place.isProgram = false;
  place.run = (argv, given) => flyctl.run(argv, given);
  folder = mkdtempSync(join(tmpdir(), "fly-"));
  built = 0;
  provider = flyProvider({
    env: { ...flyctl.env, FLY_API_TOKEN: "fly-token-that-is-secret" },
    health: { timeoutSeconds: 0, everySeconds: 0 },
    async writeContext(_, context) {
      built += 1;
      mkdirSync(context, { recursive: true });
      writeFileSync(join(context, "Dockerfile"), "FROM scratch\n");
    },
  });
});
afterEach(() => {
  flyctl.remove();
  rmSync(folder, { recursive: true });
});

const options = (changes: { release?: string; secrets?: Record<string, string>; installation?: string } = {}) => ({
  ...{ installation: "i1", folder, release: "r1", secrets: seedSecrets },
  ...changes,
});
const deploy = (spec: SeedAgentSpec = onFly(), changes: Parameters<typeof options>[0] = {}) =>
  provider.deploy(spec, options(changes));
const observe = (spec: SeedAgentSpec = onFly()) => provider.observe(spec.name, { ...options(), spec });
const remove = (destroyData: boolean, spec = onFly()) =>
  provider.remove(spec.name, { ...options(), spec, destroyData });
const app = () => flyctl.state.apps["mira-seed"];
const verbs = () => flyctl.calls().map(({ argv }) => argv.slice(0, argv[0] === "deploy" ? 1 : 2).join(" "));
const change = (edit: (state: FakeFlyctl["state"]) => void) => {
  const { state } = flyctl;
  edit(state);
  flyctl.state = state;
};

describe("a deployment", () => {
  test("creates the app, a volume for each machine, and the machines", async () => {
    expect(await deploy()).toEqual({ url: "https://mira-seed.fly.dev", nodes: 2 });
    expect(app()?.organization).toBe("personal");
    expect(app()?.machines).toHaveLength(2);
    expect(app()?.volumes.map(({ name, region, size_gb }) => ({ name, region, size_gb }))).toEqual([
      { name: "agent_code", region: "sea", size_gb: 5 },
      { name: "agent_code", region: "sea", size_gb: 5 },
    ]);
    expect(new Set(app()?.machines.map(({ config }) => config.mounts[0]?.volume)).size).toBe(2);
    expect(app()?.secrets).toEqual(seedSecrets);
  });

  test("passes secrets by stdin alone, and the token by the environment", async () => {
    place.isProgram = true;
    await deploy();
    const values = [...Object.values(seedSecrets), "fly-token-that-is-secret"];
    for (const { argv, stdin, variables } of flyctl.calls()) {
      for (const value of values) expect(argv.join(" ")).not.toContain(value);
      if (argv[1] !== "import") for (const value of values) expect(stdin).not.toContain(value);
      expect(variables).toContain("FLY_API_TOKEN");
      expect(variables).not.toContain("RELEASE_COOKIE");
    }
    for (const value of values) expect(app()?.toml).not.toContain(value);
  });

  test("that changes nothing builds nothing and sets no secret", async () => {
    await deploy();
    flyctl.forget();
    await deploy();
    expect(built).toBe(1);
    expect(verbs()).not.toContain("secrets import");
    expect(verbs()).not.toContain("deploy");
    expect(app()?.machines).toHaveLength(2);
  });

  test("sets secrets again if one changed on this machine or on Fly", async () => {
    await deploy();
    flyctl.forget();
    await deploy(onFly(), { secrets: { ...seedSecrets, CLAUDE_CODE_OAUTH_TOKEN: "another" } });
    expect(verbs()).toContain("secrets import");
    expect(app()?.secrets["CLAUDE_CODE_OAUTH_TOKEN"]).toBe("another");

    change((state) => Object.assign(state.apps["mira-seed"]?.secrets ?? {}, { RELEASE_COOKIE: "by hand" }));
    await deploy(onFly(), { secrets: { ...seedSecrets, CLAUDE_CODE_OAUTH_TOKEN: "another" } });
    expect(app()?.secrets["RELEASE_COOKIE"]).toBe(seedSecrets.RELEASE_COOKIE);
  });

  test("removes a secret that is no longer declared, and leaves those that the user set", async () => {
    await deploy();
    change((state) => Object.assign(state.apps["mira-seed"]?.secrets ?? {}, { MINE: "1" }));
    const { CLAUDE_CODE_OAUTH_TOKEN: _, ...others } = seedSecrets;
    await deploy(onFly(), { secrets: others });
    expect(Object.keys(app()?.secrets ?? {}).sort()).toEqual([...Object.keys(others), "MINE"].sort());
  });

  test("redacts secrets from the output of a failed check", async () => {
    await deploy();
    change((state) => {
      state.sick.push("r1");
      state.checkOutput = `can't connect to ${seedSecrets.DATABASE_URL}`;
      const checks = [{ name: "servicecheck-00-http-4000", status: "critical", output: state.checkOutput }];
      Object.assign(machines(state)[0] ?? {}, { checks });
    });
    const error = await deploy().catch(String);
    expect(error).toContain("can't connect to ");
    expect(error).not.toContain("password-that-is-secret");
  });

  test("starts a machine that was stopped, and creates one that is missing", async () => {
    await deploy(onFly({ replicas: 3 }));
    change((state) => {
      Object.assign(machines(state)[0] ?? {}, { state: "stopped" });
      machines(state).pop();
      for (const volume of state.apps["mira-seed"]?.volumes.slice(2) ?? []) volume.attached_machine_id = null;
    });
    flyctl.forget();
    await deploy(onFly({ replicas: 3 }));
    expect(verbs()).not.toContain("deploy");
    expect(app()?.machines.map(({ state }) => state)).toEqual(Array(3).fill("started"));
    expect(app()?.machines[1]?.instance).toBe(1);
  });

  test("scales up and down, and keeps the volumes", async () => {
    await deploy(onFly({ replicas: 3 }));
    await deploy(onFly({ replicas: 1 }));
    expect(app()?.machines).toHaveLength(1);
    expect(app()?.volumes).toHaveLength(3);
    await deploy(onFly({ replicas: 3 }));
    expect(app()?.volumes).toHaveLength(3);
  });

  test("moves to another region if the database is shared, and keeps the volumes", async () => {
    await deploy();
    const there = onFly({ fly: { app: "mira-seed", region: "fra" } });
    const { DATABASE_URL: _, ...secrets } = seedSecrets;
    await expect(deploy(there, { secrets })).rejects.toThrow('write region = "sea", or declare DATABASE_URL');
    await deploy(there);
    expect(app()?.machines.map(({ region }) => region)).toEqual(["fra", "fra"]);
    expect(app()?.volumes.map(({ region }) => region)).toEqual(["sea", "sea", "fra", "fra"]);
    expect(provider.drift(there, "r1", await observe(there))).toBeUndefined();
  });

  test("grows volumes, and rejects shrinking them", async () => {
    await deploy();
    await deploy(onFly({ volumeGb: 8 }));
    expect(app()?.volumes.map(({ size_gb }) => size_gb)).toEqual([8, 8]);
    await expect(deploy()).rejects.toThrow("can't shrink; write volume_gb = 8");
  });

  test("that is not healthy is rolled back to the former image and settings", async () => {
    await deploy();
    const image = app()?.machines[0]?.config.image;
    change((state) => void state.sick.push("r2"));
    const failed = deploy(onFly({ mode: "off" }), { release: "r2" });
    await expect(failed).rejects.toThrow(/health checks to pass.*it was rolled back to the release r1/s);
    expect(app()?.machines.map(({ config }) => [config.image, config.env["SEED_MODE"]])).toEqual([
      [image, "propose"],
      [image, "propose"],
    ]);
    expect(provider.drift(onFly(), "r2", await observe())).toContain("release r1 runs, not r2");
  });

  test("that fails before it touches a machine leaves them alone", async () => {
    await deploy();
    flyctl.failAt({ call: "deploy", when: "before" });
    await expect(deploy(onFly(), { release: "r2" })).rejects.toThrow("the release r1 still runs");
    expect(verbs().filter((verb) => verb === "deploy")).toHaveLength(1);
  });

  test("that is the first and not healthy says where to look", async () => {
    change((state) => void state.sick.push("r1"));
    await expect(deploy()).rejects.toThrow("see: flyctl logs and flyctl checks list");
  });

  test("rejects an app of another stack, of nobody, and of somebody else", async () => {
    await deploy();
    await expect(deploy(onFly(), { installation: "i2" })).rejects.toThrow("belongs to the stack i1");
    change((state) => {
      for (const machine of state.apps["mira-seed"]?.machines ?? []) machine.config.env = {};
    });
    await expect(deploy()).rejects.toThrow("was not made by this project");
    change((state) => void state.taken.push("popular"));
    const popular = onFly({ fly: { app: "popular", region: "sea" } });
    await expect(deploy(popular)).rejects.toThrow("declare another app");
  });

  test("leaves no file behind", async () => {
    await deploy();
    await deploy(onFly(), { release: "r2" });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("a deployment that is cut off at any call is finished by the next one", () => {
  test.each(["before", "after"] as const)("%s the call takes effect", { timeout: 120_000 }, async (when) => {
    const first = Array.from({ length: 40 }, (_, call) => call);
    for (const call of first) {
      flyctl.state = { ...flyctl.state, apps: {}, taken: [], sick: [], made: 0 };
      flyctl.failAt({ call, when });
      const failed = await deploy().then(
        () => false,
        () => true,
      );
      const made = flyctl.calls().length;
      flyctl.failAt(undefined);
      await deploy();
      expect(provider.drift(onFly(), "r1", await observe()), `call ${call}`).toBeUndefined();
      expect(app()?.machines, `call ${call}`).toHaveLength(2);
      expect(app()?.volumes.length, `call ${call}`).toBe(2);
      expect(app()?.secrets).toEqual(seedSecrets);
      if (!failed && call >= made) break;
    }
  });
});

describe("the observed state", () => {
  test("has no drift after a deployment", async () => {
    await deploy();
    expect(provider.drift(onFly(), "r1", await observe())).toBeUndefined();
  });

  test("is nothing before the first deployment, and after a removal", async () => {
    expect(await observe()).toBeUndefined();
    await deploy();
    await remove(false);
    expect(await observe()).toBeUndefined();
    await remove(true);
    expect(await observe()).toBeUndefined();
  });

  test.each<[string, (state: FakeFlyctl["state"]) => void, string]>([
    [
      "a stopped machine",
      (state) => void Object.assign(machines(state)[1] ?? {}, { state: "stopped" }),
      "it is stopped",
    ],
    ["a machine that is gone", (state) => void machines(state).pop(), "1 of 2 nodes exist"],
    [
      "a failing check",
      (state) => void Object.assign(machines(state)[0] ?? {}, { checks: [{ name: "deep", status: "critical" }] }),
      "deep critical",
    ],
    [
      "another variable",
      (state) => {
        for (const { config } of machines(state)) config.env["SEED_MODE"] = "auto";
      },
      'env SEED_MODE is "auto", not "propose"',
    ],
    [
      "another secret",
      (state) => void Object.assign(state.apps["mira-seed"]?.secrets ?? {}, { RELEASE_COOKIE: "by hand" }),
      "secrets is",
    ],
  ])("shows %s", async (_, edit, words) => {
    await deploy();
    change(edit);
    expect(provider.drift(onFly(), "r1", await observe())).toContain(words);
  });

  test("needs the same number of processes for any number of machines", async () => {
    await deploy(onFly({ replicas: 5 }));
    flyctl.forget();
    await observe(onFly({ replicas: 5 }));
    expect(flyctl.calls()).toHaveLength(3);
  });
});

test("a secret that is declared but not set here is not drift", async () => {
  const { CLAUDE_CODE_OAUTH_TOKEN: _, ...secrets } = seedSecrets;
  await deploy(onFly(), { secrets });
  expect(provider.drift(onFly(), "r1", await observe())).toBeUndefined();
});

describe("a removal", () => {
  test("keeps the volumes, removes machines and secrets, and says so", async () => {
    await deploy();
    const kept = await remove(false);
    expect(kept.join()).toMatch(
      /vol_\w+ \(5 GB\), vol_\w+ \(5 GB\) of the app mira-seed.*flyctl apps destroy mira-seed/,
    );
    expect(app()?.machines).toEqual([]);
    expect(app()?.secrets).toEqual({});
    expect(app()?.volumes).toHaveLength(2);
    await deploy();
    expect(app()?.volumes).toHaveLength(2);
  });

  test("with its data destroys the app, and succeeds if it is gone", async () => {
    await deploy();
    expect(await remove(true)).toEqual([]);
    expect(flyctl.state.apps).toEqual({});
    expect(await remove(true)).toEqual([]);
    expect(await remove(false)).toEqual([]);
  });

  test("does not touch another stack's app", async () => {
    await deploy(onFly(), { installation: "i2" });
    await expect(remove(true)).rejects.toThrow("belongs to the stack i2");
  });

  test("fails if Fly can't be asked", async () => {
    await deploy();
    flyctl.failAt({ call: 0, when: "before" });
    await expect(remove(false)).rejects.toThrow("the platform was cut off");
  });
});

test("without flyctl, the error says how to install it", async () => {
  place.isProgram = true;
  const missing = flyProvider({ env: { PATH: "/nowhere" }, writeContext: async () => {} });
  await expect(missing.deploy(onFly(), options())).rejects.toThrow("https://fly.io/docs/flyctl/install/");
});

test("the log's tail", async () => {
  await deploy();
  const text = await provider.logs("seed-agent", { ...options(), spec: onFly(), lines: 2 });
  expect(text).toBe("2026 app[1] sea [info]two\n2026 app[1] sea [info]three\n");
});

function machines(state: FakeFlyctl["state"]) {
  return state.apps["mira-seed"]?.machines ?? [];
}
