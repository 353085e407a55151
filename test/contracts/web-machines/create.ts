import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { installation, type LifeCycleLab } from "../../support/web-lab/life-cycle-lab.ts";

/** Creating an agent, and applying its declaration again. */
export function describeCreation(at: LifeCycleLab): void {
  const { apply, drift, committed, recorded, only, repo, git, page, commitAsAgent, accepts } = at;

  describe("creating", () => {
    it("runs the declared commit, and records what was applied", async () => {
      const { agentId, servers } = await apply(at.spec);
      await accepts(servers);
      expect(only()).toMatchObject({ id: agentId, name: "elena", state: "WAITING", starts: 1 });
      expect(only().labels).toMatchObject({
        CREATOR: "changeling",
        changeling: "elena",
        changeling_kind: "web",
        changelings_installation: installation,
      });
      expect(await page()).toBe("1\n2\n3\n4\n5\n");
      expect(await git("rev-parse", "HEAD")).toBe(at.spec.commit);
      expect(await git("symbolic-ref", "--short", "HEAD")).toBe("main");
      expect(await git("status", "--porcelain")).toBe("");
      const record = await recorded();
      expect(record).toMatchObject({
        version: 1,
        agentId,
        agentName: "elena",
        provider: at.provider,
        applied: at.spec,
      });
      expect(record.hostAddress).toBe(`${agentId}@${only().host.id}.${at.provider}`);
      expect(record.merged).toBeUndefined();
      expect(existsSync(at.lab.folder(record.data))).toBe(true);
      expect(await drift()).toBeUndefined();
    });

    it("passes its secrets, but not as arguments", async () => {
      const value = "s3cret-0123456789";
      await apply({ ...at.spec, secrets: ["KEY"] }, undefined, { KEY: value });
      expect(only().variables).toContain(value);
      expect(JSON.stringify(at.world.creates)).not.toContain(value);
    });

    it("removes the agent if it does not start, and succeeds once it starts", async () => {
      const failed = apply(committed({ broken: "" }), undefined, {});
      await expect(failed).rejects.toThrow(
        /^elena did not start: its agent ended \(DONE\); its (agent|machine) was removed\nthe tail of its log:\nthe terminal's last line$/,
      );
      expect(at.world.agents).toEqual([]);
      expect(at.world.hosts.filter(({ name }) => name !== "localhost")).toEqual([]);
      const { agentId, applied } = await recorded();
      expect(applied).toBeUndefined();
      const next = await apply(committed({ broken: null }));
      expect(next.agentId).toBe(agentId);
      await accepts(next.servers);
    });

    it("creates one agent if it runs twice at the same time", async () => {
      const [one, other] = await Promise.all([apply(at.spec), apply(at.spec)]);
      expect(other).toEqual(one);
      expect(only().starts).toBe(1);
    });
  });

  describe("applying again", () => {
    it("changes nothing that is as declared", async () => {
      const first = await apply(at.spec);
      const before = await recorded();
      expect(await apply(at.spec)).toEqual(first);
      // These are not what it is started with.
      await apply({ ...at.spec, description: "Pages", startTimeoutSeconds: 6, destroyData: true });
      expect(only().starts).toBe(1);
      expect(await recorded()).toEqual({
        ...before,
        applied: { ...at.spec, description: "Pages", startTimeoutSeconds: 6, destroyData: true },
      });
    });

    if (at.provider === "local") {
      it("adopts the agent of a record from release 0.1, which lacks the address", async () => {
        await apply(at.spec);
        const { hostAddress: _, ...former } = await recorded();
        await at.lab.host.records.write(former);
        expect(await drift()).toBeUndefined();
        await accepts((await apply(at.spec)).servers);
        expect(only().starts).toBe(1);
      });
    }

    it("starts and stops pushing to a remote without a restart", async () => {
      const remote = join(at.home, "remote.git");
      execFileSync("git", ["init", "--quiet", "--bare", remote], { env: at.world.env });
      await apply(at.spec);
      const own = await commitAsAgent({ "own.txt": "own\n" });
      await apply({ ...at.spec, remote });
      const pushed = () =>
        execFileSync("git", ["-C", remote, "rev-parse", "changelings/elena"], { env: at.world.env, encoding: "utf8" });
      await expect.poll(() => pushed().trim()).toBe(own);
      expect(existsSync(join(await repo(), ".git/hooks/post-commit"))).toBe(true);
      expect(only().starts).toBe(1);
      await apply(at.spec);
      expect(existsSync(join(await repo(), ".git/hooks/post-commit"))).toBe(false);
      expect(await git("remote")).not.toContain("changelings");
      expect(only().starts).toBe(1);
    });

    it.each(["DONE", "STOPPED"] as const)("starts an agent that is %s", async (state) => {
      const { agentId } = await apply(at.spec);
      const own = await commitAsAgent({ "own.txt": "own\n" });
      at.world.kill(only(), state);
      expect(await drift()).toBe(state === "DONE" ? "its agent died (DONE)" : "its agent was stopped");
      const { servers } = await apply(at.spec);
      await accepts(servers);
      expect(only()).toMatchObject({ id: agentId, state: "WAITING" });
      expect(await git("rev-parse", "HEAD")).toBe(own);
      expect(await drift()).toBeUndefined();
    });

    it("recreates an agent that is gone, with its repo", async () => {
      const { agentId } = await apply(at.spec);
      const own = await commitAsAgent({ "own.txt": "own\n" });
      at.world.kill(only());
      at.world.agents.splice(0);
      expect(await drift()).toBe("its agent is gone");
      const again = await apply(at.spec);
      await accepts(again.servers);
      expect(again.agentId).toBe(agentId);
      expect(await git("rev-parse", "HEAD")).toBe(own);
      expect(await page("own.txt")).toBe("own\n");
    });

    it("detects an agent that was provisioned by hand, and provisions it as declared", async () => {
      await apply(at.spec);
      only().labels = { ...only().labels, changeling_digest: "0".repeat(16) };
      expect(await drift()).toBe("it was redeployed by hand");
      await apply(at.spec);
      expect(only().starts).toBe(2);
      expect(await drift()).toBeUndefined();
    });

    it("restarts it with new values of its secrets", async () => {
      const secret = { ...at.spec, secrets: ["KEY"] };
      await apply(secret, undefined, { KEY: "first-0123456789" });
      await apply(secret, undefined, { KEY: "other-0123456789" });
      expect(only().starts).toBe(2);
      expect(only().variables).toContain("other-0123456789");
      await apply(secret, undefined, { KEY: "other-0123456789" });
      expect(only().starts).toBe(2);
    });
  });

  describe("a disabled changeling", () => {
    it("is stopped, and starts again as the same agent", async () => {
      const { agentId } = await apply(at.spec);
      const resting = { ...at.spec, enabled: false };
      expect(await apply(resting)).toEqual({ agentId, servers: {} });
      expect(only().state).toBe("STOPPED");
      expect(await drift()).toBeUndefined();
      expect(await apply(resting)).toEqual({ agentId, servers: {} });
      const again = await apply(at.spec);
      expect(again.agentId).toBe(agentId);
      await accepts(again.servers);
      expect(await drift()).toBeUndefined();
    });

    it("gets no agent until it is enabled", async () => {
      const { agentId, servers } = await apply({ ...at.spec, enabled: false });
      expect(servers).toEqual({});
      expect(at.world.agents).toEqual([]);
      expect((await apply(at.spec)).agentId).toBe(agentId);
    });

    it("is stopped again if it does not start", async () => {
      await apply(at.spec);
      await apply({ ...at.spec, enabled: false });
      await expect(apply(committed({ broken: "" }))).rejects.toThrow("its agent is stopped");
      expect(only().state).toBe("STOPPED");
      expect((await recorded()).applied).toEqual({ ...at.spec, enabled: false });
      expect(await drift()).toBeUndefined();
    });
  });
}
