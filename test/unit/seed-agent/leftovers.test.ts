import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { installationPaths } from "../../../components/host/installation-paths.ts";
import { seedAgentOf } from "../../../components/seed-agent/from-program.ts";
import { specPath, writeSeedAgent } from "../../../components/seed-agent/installed.ts";
import { seedAgentLeftovers } from "../../../components/seed-agent/leftovers.ts";

const installation = "0123456789ab";

describe("the seed agents that a removed stack left", () => {
  let home: string;
  const paths = () => installationPaths(installation, home);
  const data = (name: string) => join(paths().seedAgents, "data", name);
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "seed-left-"));
    vi.stubEnv("HOME", home);
    const { spec } = seedAgentOf("sprout");
    writeSeedAgent(paths(), { spec, enabled: true, release: "r", controlToken: "t".repeat(43) });
    // The other one has no record: an up was killed.
    for (const name of ["sprout", "sapling"]) {
      mkdirSync(join(data(name), "1"), { recursive: true });
      mkdirSync(join(paths().seedAgents, "nodes", name, "1"), { recursive: true });
    }
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true, force: true });
  });
  const remove = (all: boolean) => seedAgentLeftovers.remove(installation, paths(), { all, repositories: [] });

  it("are removed, except their data, whose paths are returned", async () => {
    expect((await remove(false)).toSorted()).toEqual([data("sapling"), data("sprout")]);
    expect(existsSync(join(data("sprout"), "1"))).toBe(true);
    for (const gone of ["nodes", "specs"]) expect(existsSync(join(paths().seedAgents, gone))).toBe(false);
  });

  it("are removed with their data on request, and nothing is left", async () => {
    expect(await remove(true)).toEqual([]);
    expect(existsSync(paths().seedAgents)).toBe(false);
    expect(await remove(true)).toEqual([]);
  });

  it("are removed from this machine even if another one's platform can't be reached", async () => {
    vi.stubEnv("PATH", "/nowhere");
    const { spec } = seedAgentOf("cloudy", { provider: "fly", replicas: 1 });
    writeSeedAgent(paths(), { spec, enabled: true, release: "r", controlToken: "t".repeat(43) });
    await expect(remove(true)).rejects.toThrow("flyctl is not on the PATH");
    for (const gone of ["nodes/sprout", "nodes/sapling", "data/sprout", "data/sapling"])
      expect(existsSync(join(paths().seedAgents, gone)), gone).toBe(false);
    expect(existsSync(specPath(paths(), "cloudy"))).toBe(true);
  });

  it("are removed even if a record was edited by hand", async () => {
    writeFileSync(specPath(paths(), "sprout"), "{}");
    expect((await remove(false)).toSorted()).toEqual([data("sapling"), data("sprout")]);
  });
});
