import { execFileSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MergeRefused } from "../../../components/web/repo/merge.ts";
import type { LifeCycleLab } from "../../support/web-lab/life-cycle-lab.ts";

/** Updating an agent, and rolling back. */
export function describeUpdates(at: LifeCycleLab): void {
  const { apply, remove, drift, committed, recorded, only, repo, git, page, commitAsAgent, accepts } = at;

  describe("updating", () => {
    it("merges new code into the agent's commits and changes", async () => {
      const { agentId } = await apply(at.spec);
      const own = await commitAsAgent({ "own.txt": "own\n" });
      writeFileSync(join(await repo(), "draft.txt"), "in no commit\n");
      const next = committed({ "page.txt": "1\n2\n3\n4\nfive\n" });
      const { servers } = await apply(next);
      await accepts(servers);
      expect(only()).toMatchObject({ id: agentId, starts: 2 });
      expect(await page()).toBe("1\n2\n3\n4\nfive\n");
      expect(await page("draft.txt")).toBe("in no commit\n");
      await git("merge-base", "--is-ancestor", own, "HEAD");
      await git("merge-base", "--is-ancestor", next.commit ?? "", "HEAD");
      const record = await recorded();
      expect(record.applied).toEqual(next);
      expect(record.merged).toBeUndefined();
      expect(await drift()).toBeUndefined();
    });

    it.each(["commits", "changes"])(
      "is rejected if it conflicts with the agent's %s, and the agent keeps running",
      async (what) => {
        await apply(at.spec);
        if (what === "commits") await commitAsAgent({ "page.txt": "mine\n" });
        else writeFileSync(join(await repo(), "page.txt"), "mine\n");
        const before = await recorded();
        const head = await git("rev-parse", "HEAD");
        const refused = await apply(committed({ "page.txt": "theirs\n" })).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(MergeRefused);
        expect(String(refused)).toContain("page.txt");
        expect(only()).toMatchObject({ state: "WAITING", starts: 1 });
        expect(await git("rev-parse", "HEAD")).toBe(head);
        expect(await page()).toBe("mine\n");
        expect((await recorded()).applied).toEqual(before.applied);
        await apply(committed({ "page.txt": "1\n2\n3\n4\n5\n" }));
        expect(await page()).toBe("mine\n");
      },
    );

    it("rolls back if the agent does not start, and keeps the agent's commits", async () => {
      const { agentId } = await apply(at.spec);
      const own = await commitAsAgent({ "own.txt": "own\n" });
      const failed = apply(committed({ broken: "" }));
      await expect(failed).rejects.toThrow(
        /^elena did not start: its agent ended \(DONE\); the previous version runs again\nthe tail of its log:\nthe terminal's last line$/,
      );
      expect(only()).toMatchObject({ id: agentId, state: "WAITING" });
      expect(await git("rev-parse", "HEAD")).toBe(own);
      const record = await recorded();
      expect(record.applied).toEqual(at.spec);
      expect(record.merged).toBeUndefined();
      const next = committed({ broken: null, "new.txt": "new\n" });
      const { servers } = await apply(next);
      await accepts(servers);
      expect(await page("new.txt")).toBe("new\n");
      expect(await page("own.txt")).toBe("own\n");
      expect(await drift()).toBeUndefined();
    });

    it("rolls back to the previous data too", async () => {
      await apply(at.spec);
      const { data } = await recorded();
      const failed = apply({ ...committed({ broken: "" }), data: join(at.home, "elsewhere") });
      await expect(failed).rejects.toThrow("the previous version runs again");
      expect(await recorded()).toMatchObject({ data, applied: at.spec });
      await remove({ name: "elena", destroyData: true });
      expect(existsSync(at.lab.folder(data)) && at.provider === "local").toBe(false);
      expect(at.world.volumes.has(data)).toBe(false);
    });

    it("keeps the agent's commits on top of code that does not start", async () => {
      await apply(at.spec);
      const next = committed({ broken: "" });
      let own: string | undefined;
      at.world.beforeCreate = () => {
        if (own !== undefined || !existsSync(join(only().folder, "broken"))) return;
        writeFileSync(join(only().folder, "own.txt"), "own\n");
        const run = (...args: string[]) =>
          execFileSync("git", args, { cwd: only().folder, env: at.world.env, encoding: "utf8" }).trim();
        run("rm", "--quiet", "broken");
        run("add", "--all");
        run("-c", "user.name=E", "-c", "user.email=e@example.com", "commit", "--quiet", "--message", "Own");
        own = run("rev-parse", "HEAD");
        writeFileSync(join(only().folder, "broken"), "");
        at.world.beforeCreate = () => rmSync(join(only().folder, "broken"), { force: true });
      };
      await expect(apply(next)).rejects.toThrow(
        /the previous version runs again, but with the new code: the agent has committed on top of it, or changed its files/,
      );
      expect(own).toBeDefined();
      expect(await git("rev-parse", "HEAD")).toBe(own);
      expect(only().state).toBe("WAITING");
      expect((await recorded()).applied).toEqual(at.spec);
    });

    it("rolls back an interrupted update to the commit before its merge", async () => {
      await apply(at.spec);
      const head = await git("rev-parse", "HEAD");
      const next = committed({ broken: "" });
      // The branch has moved, and the record says so.
      await git("fetch", "--quiet", at.spec.source ?? "", "main");
      await git("merge", "--quiet", "--ff-only", "FETCH_HEAD");
      await at.lab.host.records.write({ ...(await recorded()), merged: { before: head, after: next.commit ?? "" } });
      await expect(apply(next)).rejects.toThrow("the previous version runs again");
      expect(await git("rev-parse", "HEAD")).toBe(head);
      expect((await recorded()).merged).toBeUndefined();
    });
  });
}
