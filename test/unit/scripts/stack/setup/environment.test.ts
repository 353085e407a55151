import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { cacheFolder } from "../../../../../scripts/stack/setup/cache.mjs";
import { toolchain } from "../../../../../scripts/stack/setup/environment.ts";
import { compareVersions } from "../../../../../scripts/stack/setup/python.ts";
import {
  commandPluginFolder,
  ownPulumiHome,
  readToolchain,
  type Toolchain,
  toolchainEnvironment,
  toolchainFile,
} from "../../../../../scripts/stack/setup/toolchain.mjs";
import { useMachine, writeProgram } from "../../../../support/setup.ts";

const machine = useMachine();

/** Records a toolchain of existing programs, with a stand-in plugin. */
function note(): Toolchain {
  const at = (name: string): string => writeProgram(join(machine.folder, name), name, "exit 0");
  const found: Toolchain = {
    node: at("node"),
    pulumi: at("pulumi"),
    pulumiHome: join(machine.cache, "pulumi-home/a"),
    ownPulumiHome: join(machine.home, ".pulumi"),
    python: at("python"),
    mngr: at("mngr"),
    modal: at("modal"),
    needs: [at("git")],
  };
  mkdirSync(commandPluginFolder(found.pulumiHome), { recursive: true });
  mkdirSync(dirname(toolchainFile()), { recursive: true });
  writeFileSync(toolchainFile(), JSON.stringify(found));
  return found;
}

describe("the cache", () => {
  test.each([
    [{ CHANGELINGS_CACHE: "/a", XDG_CACHE_HOME: "/b", HOME: "/c" }, "/a"],
    [{ XDG_CACHE_HOME: "/b", HOME: "/c" }, "/b/changelings"],
    [{ HOME: "/c" }, "/c/.cache/changelings"],
  ])("for %j is %s", (env, folder) => expect(cacheFolder(env)).toBe(folder));
});

describe("the noted toolchain", () => {
  test("is found again", () => {
    const noted = note();
    expect(readToolchain()).toEqual(noted);
    expect(toolchain().pulumi).toBe(noted.pulumi);
  });

  test("is not there before setup, which the error names", () => {
    expect(readToolchain()).toBeNull();
    expect(toolchain).toThrow("This checkout is not set up, or part of it was removed. Run: npm run setup");
  });

  test.each(["node", "pulumi", "python", "mngr", "modal", "git"])("does not count when %s is gone", (name) => {
    note();
    rmSync(join(machine.folder, name), { recursive: true });
    expect(readToolchain()).toBeNull();
  });

  test("does not count when the plugin is gone", () => {
    rmSync(commandPluginFolder(note().pulumiHome), { recursive: true });
    expect(readToolchain()).toBeNull();
  });

  test("with the stand-in plugin is not used once the official one is installed", () => {
    note();
    mkdirSync(commandPluginFolder(join(machine.home, ".pulumi")), { recursive: true });
    expect(readToolchain()).toBeNull();
  });

  test("is another one for another PULUMI_HOME", () => {
    note();
    vi.stubEnv("PULUMI_HOME", join(machine.folder, "other"));
    expect(readToolchain()).toBeNull();
  });

  test.each(["", "{}", '{"node":1}', "null"])("does not count when it reads %j", (text) => {
    note();
    writeFileSync(toolchainFile(), text);
    expect(readToolchain()).toBeNull();
  });
});

describe("the environment", () => {
  test("puts the programs first on PATH, and the private PULUMI_HOME keeps the person's login", () => {
    const noted = note();
    const env = toolchainEnvironment(noted, { PATH: "/usr/bin:/bin", KEPT: "1" });
    expect(env).toEqual({
      KEPT: "1",
      PATH: [...["node", "pulumi", "mngr"].map((name) => join(machine.folder, name)), "/usr/bin", "/bin"].join(":"),
      NODE_COMPILE_CACHE: expect.stringMatching(/changelings\/node-compile-cache$/),
      PULUMI_HOME: noted.pulumiHome,
      PULUMI_CREDENTIALS_PATH: noted.ownPulumiHome,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_CONTINUE_ON_ERROR: "true",
      DO_NOT_TRACK: "1",
    });
  });

  test("does not change PULUMI_HOME if the official plugin is in use", () => {
    const env = toolchainEnvironment({ ...note(), ownPulumiHome: null }, { PATH: "" });
    expect(Object.keys(env).filter((name) => /HOME|CREDENTIALS/.test(name))).toEqual([]);
  });

  test("does not reorder a PATH that finds the same programs", () => {
    const found = note();
    const path = ["/first", ...["node", "pulumi", "mngr"].map((name) => join(machine.folder, name))].join(":");
    expect(toolchainEnvironment(found, { PATH: path }).PATH).toBe(path);
  });

  test("made twice is the same", () => {
    const found = note();
    const once = toolchainEnvironment(found, { ...process.env });
    expect(toolchainEnvironment(found, once)).toEqual(once);
    expect(ownPulumiHome(once)).toBe(found.ownPulumiHome);
  });
});

describe("versions", () => {
  const version = fc.array(fc.nat(400), { minLength: 1, maxLength: 4 });

  test("compare number by number", () => {
    expect(["3.10.0", "3.9.18", "3.12", "3.12.1"].sort(compareVersions)).toEqual([
      "3.9.18",
      "3.10.0",
      "3.12",
      "3.12.1",
    ]);
    expect(compareVersions("3.12", "3.12.0")).toBe(0);
  });

  test("compare the other way round with the other sign, and equal to themselves", () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        const [left, right] = [a.join("."), b.join(".")];
        expect(Math.sign(compareVersions(left, right)) + Math.sign(compareVersions(right, left))).toBe(0);
        expect(compareVersions(left, left)).toBe(0);
        expect(compareVersions(`${left}.1`, left)).toBeGreaterThan(0);
      }),
    );
  });
});
