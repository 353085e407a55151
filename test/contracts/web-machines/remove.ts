import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { LifeCycleLab } from "../../support/web-lab/life-cycle-lab.ts";

/** Renaming and removing an agent. */
export function describeRemoval(at: LifeCycleLab): void {
  const { apply, remove, read, drift, recorded, only, git, commitAsAgent, accepts } = at;

  describe("renaming", () => {
    it("keeps the agent, its repo and its data", async () => {
      const { agentId } = await apply(at.spec);
      const own = await commitAsAgent({ "own.txt": "own\n" });
      const before = await recorded();
      const { servers, ...renamed } = await apply({ ...at.spec, name: "elly" }, "elena");
      await accepts(servers);
      expect(renamed.agentId).toBe(agentId);
      expect(only()).toMatchObject({ id: agentId, name: "elly" });
      const { repo, data } = await recorded("elly");
      expect({ repo, data }).toEqual({ repo: before.repo, data: before.data });
      expect(await read("elena")).toBeUndefined();
      expect(execFileSync("git", ["-C", at.lab.folder(before.repo), "log"], { encoding: "utf8" })).toContain(own);
      expect(await drift("elly")).toBeUndefined();
    });

    it("completes a rename that was interrupted between its two records", async () => {
      const { agentId } = await apply(at.spec);
      const former = await recorded();
      await apply({ ...at.spec, name: "elly" }, "elena");
      await at.lab.host.records.write(former);
      expect((await apply({ ...at.spec, name: "elly" }, "elena")).agentId).toBe(agentId);
      expect(await read("elena")).toBeUndefined();
      expect(only().name).toBe("elly");
    });

    it("leaves another changeling with the old name unchanged", async () => {
      await apply(at.spec);
      await apply({ ...at.spec, name: "elly" }, "elena");
      const other = await apply(at.spec);
      expect(at.world.agents.map(({ name }) => name).sort()).toEqual(["elena", "elly"]);
      expect((await recorded("elly")).repo).not.toBe((await recorded()).repo);
      await apply({ ...at.spec, name: "elly" }, "elena");
      expect((await recorded()).agentId).toBe(other.agentId);
    });
  });

  describe("removing", () => {
    it("keeps the repo and the data for the same changeling", async () => {
      const { agentId } = await apply(at.spec);
      const own = await commitAsAgent({ "own.txt": "own\n" });
      const { repo, data, ...before } = await recorded();
      writeFileSync(join(at.lab.folder((await recorded()).data), "kept.txt"), "kept\n");
      expect(await remove({ name: "elena", destroyData: false })).toEqual({ agentId, repo, data });
      expect(at.world.agents).toEqual([]);
      expect(at.world.hosts.filter(({ name }) => name !== "localhost")).toEqual([]);
      expect(at.lines.join("\n")).toMatch(/elena is removed; kept/);
      for (const place of [repo, data]) expect(at.lines.join("\n")).toContain(place);
      expect(await recorded()).toMatchObject({ removed: true, agentId, applied: before.applied });
      expect(await drift()).toBe("its record is missing");

      const again = await apply(at.spec);
      expect(again.agentId).toBe(agentId);
      expect((await recorded()).removed).toBeUndefined();
      expect(await git("rev-parse", "HEAD")).toBe(own);
      expect(readdirSync(at.lab.folder((await recorded()).data))).toContain("kept.txt");
    });

    it("deletes them and the record if that is declared", async () => {
      await apply(at.spec);
      const record = await recorded();
      await remove({ name: "elena", destroyData: true });
      expect(at.world.agents).toEqual([]);
      expect(await read("elena")).toBeUndefined();
      expect(at.lines.join("\n")).toMatch(/elena is removed, with its/);
      if (at.provider === "local") {
        expect([record.repo, record.data].map((each) => existsSync(each))).toEqual([false, false]);
      } else expect([record.repo, record.data].filter((each) => at.world.volumes.has(each))).toEqual([]);
      const again = await apply(at.spec);
      expect(again.agentId).not.toBe(record.agentId);
    });

    it("succeeds for a changeling that never existed, and when repeated", async () => {
      expect(await remove({ name: "elena", destroyData: false })).toEqual({});
      await apply(at.spec);
      await remove({ name: "elena", destroyData: false });
      const record = await recorded();
      await remove({ name: "elena", destroyData: false });
      expect(await recorded()).toEqual(record);
    });

    it("leaves every other changeling unchanged", async () => {
      await apply(at.spec);
      const other = await apply({ ...at.spec, name: "elen" });
      await remove({ name: "elena", destroyData: true });
      expect(only()).toMatchObject({ id: other.agentId, name: "elen", state: "WAITING", starts: 1 });
      expect(await drift("elen")).toBeUndefined();
    });

    it("works for a stopped changeling", async () => {
      await apply(at.spec);
      await apply({ ...at.spec, enabled: false });
      await remove({ name: "elena", destroyData: true });
      expect(at.world.agents).toEqual([]);
    });
  });
}
