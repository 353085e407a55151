import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type InstallationPaths, installationPaths } from "../../components/host/installation-paths.ts";
import type { WebRecord } from "../../components/web/agent/record.ts";
import type { WebSpec } from "../../components/web/agent/spec.ts";
import type { AgentHost } from "../../components/web/life-cycle/agent-host.ts";
import { applyWeb } from "../../components/web/life-cycle/apply.ts";
import { type Removal, removeWeb } from "../../components/web/life-cycle/remove.ts";
import { MergeRefused } from "../../components/web/repo/merge.ts";
import { Repository } from "../support/repository.ts";
import { MngrWorld, type WorldAgent } from "../support/web-lab/mngr-world.ts";
import { webSpecOf } from "../support/web-spec.ts";

export interface WebLabOptions {
  readonly world: MngrWorld;
  readonly installation: string;
  readonly paths: InstallationPaths;
  /** Collects what `pulumi up` would print. */
  readonly log: (line: string) => void;
}

/** A provider of web agents, in a world of its own. */
export interface WebLab {
  readonly host: AgentHost;
  /** How an agent differs from what was applied. */
  drift(record: WebRecord | undefined): Promise<string | undefined>;
  /** The folder on this machine's disk of a repo or data. */
  folder(place: string): string;
}

const past = { author: "Somebody", at: "2026-11-21T12:00:00+00:00" };
const installation = "0123456789ab";

/**
 * The life cycle of a web agent, the same wherever it runs: from its first `pulumi up` to its removal.
 *
 * @param provider also the name of the suite
 * @param open makes the lab
 */
export function describeWebMachines(provider: WebSpec["provider"], open: (options: WebLabOptions) => WebLab): void {
  describe(`web agents: ${provider}`, () => {
    let home: string;
    let world: MngrWorld;
    let lab: WebLab;
    let source: Repository;
    let spec: WebSpec;
    let lines: string[];
    beforeEach(() => {
      home = mkdtempSync(join(tmpdir(), "web-machines-"));
      world = new MngrWorld(home);
      lines = [];
      const paths = installationPaths(installation, home);
      lab = open({ world, installation, paths, log: (line) => lines.push(line) });
      source = new Repository();
      source.commit({ "page.txt": "1\n2\n3\n4\n5\n", ".gitignore": "ignored\n" }, past);
      spec = webSpecOf({
        ...{ provider, source: `file://${source.folder}`, agentType: "command", agentArgs: ["serve"] },
        ...{ startTimeoutSeconds: 5, commit: source.git("rev-parse", "HEAD") },
      });
    });
    afterEach(() => {
      world.end();
      source[Symbol.dispose]();
      rmSync(home, { recursive: true, force: true, maxRetries: 3 });
    });

    const apply = (of: WebSpec, former?: string, secrets: Readonly<Record<string, string>> = {}) =>
      applyWeb(of, former, { secrets, host: lab.host });
    const remove = (removal: Removal) => removeWeb(removal, lab.host);
    const read = (name: string) => lab.host.records.read(name);
    const drift = async (name = "elena") => lab.drift(await read(name));
    const committed = (files: Parameters<Repository["commit"]>[0]): WebSpec => {
      source.commit(files, past);
      return { ...spec, commit: source.git("rev-parse", "HEAD") };
    };
    const recorded = async (name = "elena") => {
      const record = await read(name);
      if (record === undefined) throw new Error(`there is no record of ${name}`);
      return record;
    };
    const only = (): WorldAgent => {
      const [agent, ...others] = world.agents;
      if (agent === undefined || others.length > 0) throw new Error(`mngr has ${world.agents.length} agents`);
      return agent;
    };
    const repo = async (name = "elena") => lab.folder((await recorded(name)).repo);
    const git = async (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=Elena", "-c", "user.email=e@example.com", ...args], {
        ...{ cwd: await repo(), env: world.env, encoding: "utf8" },
        stdio: "pipe",
      }).trim();
    const page = async (file = "page.txt") => readFileSync(join(await repo(), file), "utf8");
    /** The agent commits a change of its own. */
    const commitAsAgent = async (files: Readonly<Record<string, string>>) => {
      for (const [path, text] of Object.entries(files)) writeFileSync(join(await repo(), path), text);
      await git("add", "--all");
      await git("commit", "--quiet", "--message", "The agent's own");
      return git("rev-parse", "HEAD");
    };
    const accepts = async (servers: Readonly<Record<string, string>>) => {
      expect(Object.keys(servers)).toEqual(["web"]);
      const port = Number(new URL(servers["web"] ?? "").port);
      expect(only().server?.address()).toMatchObject({ port });
    };

    describe("creating", () => {
      it("runs the declared commit, and records what was applied", async () => {
        const { agentId, servers } = await apply(spec);
        await accepts(servers);
        expect(only()).toMatchObject({ id: agentId, name: "elena", state: "WAITING", starts: 1 });
        expect(only().labels).toMatchObject({
          CREATOR: "changeling",
          changeling: "elena",
          changeling_kind: "web",
          changelings_installation: installation,
        });
        expect(await page()).toBe("1\n2\n3\n4\n5\n");
        expect(await git("rev-parse", "HEAD")).toBe(spec.commit);
        expect(await git("symbolic-ref", "--short", "HEAD")).toBe("main");
        expect(await git("status", "--porcelain")).toBe("");
        const record = await recorded();
        expect(record).toMatchObject({ version: 1, agentId, agentName: "elena", provider, applied: spec });
        expect(record.hostAddress).toBe(`${agentId}@${only().host.id}.${provider}`);
        expect(record.merged).toBeUndefined();
        expect(existsSync(lab.folder(record.data))).toBe(true);
        expect(await drift()).toBeUndefined();
      });

      it("passes its secrets, but not as arguments", async () => {
        const value = "s3cret-0123456789";
        await apply({ ...spec, secrets: ["KEY"] }, undefined, { KEY: value });
        expect(only().variables).toContain(value);
        expect(JSON.stringify(world.creates)).not.toContain(value);
      });

      it("removes the agent if it does not start, and succeeds once it starts", async () => {
        const failed = apply(committed({ broken: "" }), undefined, {});
        await expect(failed).rejects.toThrow(
          /^elena did not start: its agent ended \(DONE\); its (agent|machine) was removed\nthe tail of its log:\nthe terminal's last line$/,
        );
        expect(world.agents).toEqual([]);
        expect(world.hosts.filter(({ name }) => name !== "localhost")).toEqual([]);
        const { agentId, applied } = await recorded();
        expect(applied).toBeUndefined();
        const next = await apply(committed({ broken: null }));
        expect(next.agentId).toBe(agentId);
        await accepts(next.servers);
      });

      it("creates one agent if it runs twice at the same time", async () => {
        const [one, other] = await Promise.all([apply(spec), apply(spec)]);
        expect(other).toEqual(one);
        expect(only().starts).toBe(1);
      });
    });

    describe("applying again", () => {
      it("changes nothing that is as declared", async () => {
        const first = await apply(spec);
        const before = await recorded();
        expect(await apply(spec)).toEqual(first);
        // These are not what it is started with.
        await apply({ ...spec, description: "Pages", startTimeoutSeconds: 6, destroyData: true });
        expect(only().starts).toBe(1);
        expect(await recorded()).toEqual({
          ...before,
          applied: { ...spec, description: "Pages", startTimeoutSeconds: 6, destroyData: true },
        });
      });

      if (provider === "local") {
        it("adopts the agent of a record from release 0.1, which lacks the address", async () => {
          await apply(spec);
          const { hostAddress: _, ...former } = await recorded();
          await lab.host.records.write(former);
          expect(await drift()).toBeUndefined();
          await accepts((await apply(spec)).servers);
          expect(only().starts).toBe(1);
        });
      }

      it("starts and stops pushing to a remote without a restart", async () => {
        const remote = join(home, "remote.git");
        execFileSync("git", ["init", "--quiet", "--bare", remote], { env: world.env });
        await apply(spec);
        const own = await commitAsAgent({ "own.txt": "own\n" });
        await apply({ ...spec, remote });
        const pushed = () =>
          execFileSync("git", ["-C", remote, "rev-parse", "changelings/elena"], { env: world.env, encoding: "utf8" });
        await expect.poll(() => pushed().trim()).toBe(own);
        expect(existsSync(join(await repo(), ".git/hooks/post-commit"))).toBe(true);
        expect(only().starts).toBe(1);
        await apply(spec);
        expect(existsSync(join(await repo(), ".git/hooks/post-commit"))).toBe(false);
        expect(await git("remote")).not.toContain("changelings");
        expect(only().starts).toBe(1);
      });

      it.each(["DONE", "STOPPED"] as const)("starts an agent that is %s", async (state) => {
        const { agentId } = await apply(spec);
        const own = await commitAsAgent({ "own.txt": "own\n" });
        world.kill(only(), state);
        expect(await drift()).toBe(state === "DONE" ? "its agent died (DONE)" : "its agent was stopped");
        const { servers } = await apply(spec);
        await accepts(servers);
        expect(only()).toMatchObject({ id: agentId, state: "WAITING" });
        expect(await git("rev-parse", "HEAD")).toBe(own);
        expect(await drift()).toBeUndefined();
      });

      it("recreates an agent that is gone, with its repo", async () => {
        const { agentId } = await apply(spec);
        const own = await commitAsAgent({ "own.txt": "own\n" });
        world.kill(only());
        world.agents.splice(0);
        expect(await drift()).toBe("its agent is gone");
        const again = await apply(spec);
        await accepts(again.servers);
        expect(again.agentId).toBe(agentId);
        expect(await git("rev-parse", "HEAD")).toBe(own);
        expect(await page("own.txt")).toBe("own\n");
      });

      it("detects an agent that was provisioned by hand, and provisions it as declared", async () => {
        await apply(spec);
        only().labels = { ...only().labels, changeling_digest: "0".repeat(16) };
        expect(await drift()).toBe("it was redeployed by hand");
        await apply(spec);
        expect(only().starts).toBe(2);
        expect(await drift()).toBeUndefined();
      });

      it("restarts it with new values of its secrets", async () => {
        const secret = { ...spec, secrets: ["KEY"] };
        await apply(secret, undefined, { KEY: "first-0123456789" });
        await apply(secret, undefined, { KEY: "other-0123456789" });
        expect(only().starts).toBe(2);
        expect(only().variables).toContain("other-0123456789");
        await apply(secret, undefined, { KEY: "other-0123456789" });
        expect(only().starts).toBe(2);
      });
    });

    describe("updating", () => {
      it("merges new code into the agent's commits and changes", async () => {
        const { agentId } = await apply(spec);
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
          await apply(spec);
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
        const { agentId } = await apply(spec);
        const own = await commitAsAgent({ "own.txt": "own\n" });
        const failed = apply(committed({ broken: "" }));
        await expect(failed).rejects.toThrow(
          /^elena did not start: its agent ended \(DONE\); the previous version runs again\nthe tail of its log:\nthe terminal's last line$/,
        );
        expect(only()).toMatchObject({ id: agentId, state: "WAITING" });
        expect(await git("rev-parse", "HEAD")).toBe(own);
        const record = await recorded();
        expect(record.applied).toEqual(spec);
        expect(record.merged).toBeUndefined();
        const next = committed({ broken: null, "new.txt": "new\n" });
        const { servers } = await apply(next);
        await accepts(servers);
        expect(await page("new.txt")).toBe("new\n");
        expect(await page("own.txt")).toBe("own\n");
        expect(await drift()).toBeUndefined();
      });

      it("rolls back to the previous data too", async () => {
        await apply(spec);
        const { data } = await recorded();
        const failed = apply({ ...committed({ broken: "" }), data: join(home, "elsewhere") });
        await expect(failed).rejects.toThrow("the previous version runs again");
        expect(await recorded()).toMatchObject({ data, applied: spec });
        await remove({ name: "elena", destroyData: true });
        expect(existsSync(lab.folder(data)) && provider === "local").toBe(false);
        expect(world.volumes.has(data)).toBe(false);
      });

      it("keeps the agent's commits on top of code that does not start", async () => {
        await apply(spec);
        const next = committed({ broken: "" });
        let own: string | undefined;
        world.beforeCreate = () => {
          if (own !== undefined || !existsSync(join(only().folder, "broken"))) return;
          writeFileSync(join(only().folder, "own.txt"), "own\n");
          const run = (...args: string[]) =>
            execFileSync("git", args, { cwd: only().folder, env: world.env, encoding: "utf8" }).trim();
          run("rm", "--quiet", "broken");
          run("add", "--all");
          run("-c", "user.name=E", "-c", "user.email=e@example.com", "commit", "--quiet", "--message", "Own");
          own = run("rev-parse", "HEAD");
          writeFileSync(join(only().folder, "broken"), "");
          world.beforeCreate = () => rmSync(join(only().folder, "broken"), { force: true });
        };
        await expect(apply(next)).rejects.toThrow(
          /the previous version runs again, but with the new code: the agent has committed on top of it, or changed its files/,
        );
        expect(own).toBeDefined();
        expect(await git("rev-parse", "HEAD")).toBe(own);
        expect(only().state).toBe("WAITING");
        expect((await recorded()).applied).toEqual(spec);
      });

      it("rolls back an interrupted update to the commit before its merge", async () => {
        await apply(spec);
        const head = await git("rev-parse", "HEAD");
        const next = committed({ broken: "" });
        // The branch has moved, and the record says so.
        await git("fetch", "--quiet", spec.source ?? "", "main");
        await git("merge", "--quiet", "--ff-only", "FETCH_HEAD");
        await lab.host.records.write({ ...(await recorded()), merged: { before: head, after: next.commit ?? "" } });
        await expect(apply(next)).rejects.toThrow("the previous version runs again");
        expect(await git("rev-parse", "HEAD")).toBe(head);
        expect((await recorded()).merged).toBeUndefined();
      });
    });

    describe("a disabled changeling", () => {
      it("is stopped, and starts again as the same agent", async () => {
        const { agentId } = await apply(spec);
        const resting = { ...spec, enabled: false };
        expect(await apply(resting)).toEqual({ agentId, servers: {} });
        expect(only().state).toBe("STOPPED");
        expect(await drift()).toBeUndefined();
        expect(await apply(resting)).toEqual({ agentId, servers: {} });
        const again = await apply(spec);
        expect(again.agentId).toBe(agentId);
        await accepts(again.servers);
        expect(await drift()).toBeUndefined();
      });

      it("gets no agent until it is enabled", async () => {
        const { agentId, servers } = await apply({ ...spec, enabled: false });
        expect(servers).toEqual({});
        expect(world.agents).toEqual([]);
        expect((await apply(spec)).agentId).toBe(agentId);
      });

      it("is stopped again if it does not start", async () => {
        await apply(spec);
        await apply({ ...spec, enabled: false });
        await expect(apply(committed({ broken: "" }))).rejects.toThrow("its agent is stopped");
        expect(only().state).toBe("STOPPED");
        expect((await recorded()).applied).toEqual({ ...spec, enabled: false });
        expect(await drift()).toBeUndefined();
      });
    });

    describe("renaming", () => {
      it("keeps the agent, its repo and its data", async () => {
        const { agentId } = await apply(spec);
        const own = await commitAsAgent({ "own.txt": "own\n" });
        const before = await recorded();
        const { servers, ...renamed } = await apply({ ...spec, name: "elly" }, "elena");
        await accepts(servers);
        expect(renamed.agentId).toBe(agentId);
        expect(only()).toMatchObject({ id: agentId, name: "elly" });
        const { repo, data } = await recorded("elly");
        expect({ repo, data }).toEqual({ repo: before.repo, data: before.data });
        expect(await read("elena")).toBeUndefined();
        expect(execFileSync("git", ["-C", lab.folder(before.repo), "log"], { encoding: "utf8" })).toContain(own);
        expect(await drift("elly")).toBeUndefined();
      });

      it("completes a rename that was interrupted between its two records", async () => {
        const { agentId } = await apply(spec);
        const former = await recorded();
        await apply({ ...spec, name: "elly" }, "elena");
        await lab.host.records.write(former);
        expect((await apply({ ...spec, name: "elly" }, "elena")).agentId).toBe(agentId);
        expect(await read("elena")).toBeUndefined();
        expect(only().name).toBe("elly");
      });

      it("leaves another changeling with the old name unchanged", async () => {
        await apply(spec);
        await apply({ ...spec, name: "elly" }, "elena");
        const other = await apply(spec);
        expect(world.agents.map(({ name }) => name).sort()).toEqual(["elena", "elly"]);
        expect((await recorded("elly")).repo).not.toBe((await recorded()).repo);
        await apply({ ...spec, name: "elly" }, "elena");
        expect((await recorded()).agentId).toBe(other.agentId);
      });
    });

    describe("removing", () => {
      it("keeps the repo and the data for the same changeling", async () => {
        const { agentId } = await apply(spec);
        const own = await commitAsAgent({ "own.txt": "own\n" });
        const { repo, data, ...before } = await recorded();
        writeFileSync(join(lab.folder((await recorded()).data), "kept.txt"), "kept\n");
        expect(await remove({ name: "elena", destroyData: false })).toEqual({ agentId, repo, data });
        expect(world.agents).toEqual([]);
        expect(world.hosts.filter(({ name }) => name !== "localhost")).toEqual([]);
        expect(lines.join("\n")).toMatch(/elena is removed; kept/);
        for (const place of [repo, data]) expect(lines.join("\n")).toContain(place);
        expect(await recorded()).toMatchObject({ removed: true, agentId, applied: before.applied });
        expect(await drift()).toBe("its record is missing");

        const again = await apply(spec);
        expect(again.agentId).toBe(agentId);
        expect((await recorded()).removed).toBeUndefined();
        expect(await git("rev-parse", "HEAD")).toBe(own);
        expect(readdirSync(lab.folder((await recorded()).data))).toContain("kept.txt");
      });

      it("deletes them and the record if that is declared", async () => {
        await apply(spec);
        const record = await recorded();
        await remove({ name: "elena", destroyData: true });
        expect(world.agents).toEqual([]);
        expect(await read("elena")).toBeUndefined();
        expect(lines.join("\n")).toMatch(/elena is removed, with its/);
        if (provider === "local") {
          expect([record.repo, record.data].map((each) => existsSync(each))).toEqual([false, false]);
        } else expect([record.repo, record.data].filter((each) => world.volumes.has(each))).toEqual([]);
        const again = await apply(spec);
        expect(again.agentId).not.toBe(record.agentId);
      });

      it("succeeds for a changeling that never existed, and when repeated", async () => {
        expect(await remove({ name: "elena", destroyData: false })).toEqual({});
        await apply(spec);
        await remove({ name: "elena", destroyData: false });
        const record = await recorded();
        await remove({ name: "elena", destroyData: false });
        expect(await recorded()).toEqual(record);
      });

      it("leaves every other changeling unchanged", async () => {
        await apply(spec);
        const other = await apply({ ...spec, name: "elen" });
        await remove({ name: "elena", destroyData: true });
        expect(only()).toMatchObject({ id: other.agentId, name: "elen", state: "WAITING", starts: 1 });
        expect(await drift("elen")).toBeUndefined();
      });

      it("works for a stopped changeling", async () => {
        await apply(spec);
        await apply({ ...spec, enabled: false });
        await remove({ name: "elena", destroyData: true });
        expect(world.agents).toEqual([]);
      });
    });
  });
}
