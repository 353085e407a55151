import { chmodSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { undoMerge } from "../../../components/web/repo/merge.ts";
import { WebRepoLab } from "../../support/web-repo-lab.ts";

const lab = new WebRepoLab();

describe("a repo with a source", () => {
  it("contains the source's commit, tracks no remote branch, and is private", async () => {
    const tip = lab.source.git("rev-parse", "HEAD");
    expect(await lab.prepare({ commit: tip })).toEqual({ before: tip, after: tip });
    expect(lab.head()).toBe(tip);
    expect((await lab.git("rev-parse", "--abbrev-ref", "HEAD")).trim()).toBe("main");
    expect((await lab.git("remote", "get-url", "origin")).trim()).toBe(lab.source.folder);
    await expect(lab.git("rev-parse", "--abbrev-ref", "@{upstream}")).rejects.toThrow("no upstream");
    expect(statSync(lab.repo).mode & 0o777).toBe(0o700);
  });

  it("uses the branch's tip if no commit is given, and an existing commit without a fetch", async () => {
    const first = lab.source.git("rev-parse", "HEAD");
    lab.sourceCommits({ "page.txt": "new\n" });
    await lab.prepare();
    expect(lab.read("page.txt")).toBe("new\n");
    rmSync(lab.source.folder, { recursive: true });
    await lab.prepare({ commit: first });
  });

  it("starts git five times if nothing has changed, because an update waits for each start", async () => {
    const tip = lab.source.git("rev-parse", "HEAD");
    await lab.prepare({ commit: tip });
    const merging = ["merge-base", "ls-tree", "cat-file"];
    expect(await lab.commandsOf({ commit: tip })).toEqual(["config", "cat-file", ...merging]);
  });

  it("is recreated after an interrupted creation", async () => {
    mkdirSync(`${lab.repo}.unfinished`);
    writeFileSync(join(`${lab.repo}.unfinished`, "rubbish"), "");
    await lab.prepare();
    expect([existsSync(join(lab.repo, "rubbish")), existsSync(`${lab.repo}.unfinished`)]).toEqual([false, false]);
  });

  it("reports that the source's branch was rewritten", async () => {
    await expect(lab.prepare({ commit: "1".repeat(40) })).rejects.toThrow(
      `${lab.source.folder} no longer has commit ${"1".repeat(40)}, because its branch main was rewritten; run again: pulumi up`,
    );
    expect(existsSync(lab.repo)).toBe(false);
  });

  it("fast-forwards without commits of the agent, and merges otherwise", async () => {
    const first = lab.source.git("rev-parse", "HEAD");
    await lab.prepare();
    lab.sourceCommits({ "other.txt": "second\n" });
    const second = lab.source.git("rev-parse", "HEAD");
    expect(await lab.prepare()).toEqual({ before: first, after: second });
    const own = await lab.agentCommits({ "page.txt": "1!\n2\n3\n4\n5\n6\n7\n" });
    lab.sourceCommits({ "page.txt": "1\n2\n3\n4\n5\n6\n7!\n" });
    const merged = await lab.prepare();
    expect(merged).toEqual({ before: own, after: lab.head() });
    expect(lab.moves).toEqual([{ before: first, after: second }, merged]);
    expect(lab.read("page.txt")).toBe("1!\n2\n3\n4\n5\n6\n7!\n");
    expect((await lab.git("log", "-1", "--format=%an <%ae>")).trim()).toBe(
      "elena (changeling) <elena@changelings.invalid>",
    );
    expect(await lab.prepare()).toEqual({ before: merged.after, after: merged.after });
    expect(existsSync(`${lab.repo}.merge`)).toBe(false);
    expect(await lab.git("worktree", "list")).not.toContain(".merge");
  });

  it("keeps uncommitted changes, staged or not, if the new code does not touch them", async () => {
    await lab.prepare();
    writeFileSync(join(lab.repo, "page.txt"), "unstaged\n");
    writeFileSync(join(lab.repo, "staged.txt"), "staged\n");
    await lab.git("add", "staged.txt");
    writeFileSync(join(lab.repo, "notes.txt"), "untracked\n");
    lab.sourceCommits({ "other.txt": "second\n" });
    await lab.prepare();
    expect([lab.read("other.txt"), lab.read("page.txt")]).toEqual(["second\n", "unstaged\n"]);
    expect(await lab.git("status", "--porcelain")).toBe(" M page.txt\nA  staged.txt\n?? notes.txt\n");
  });

  it.each([
    ["that is changed", "page.txt"],
    ["that git does not know", "new.txt"],
  ])("refuses to overwrite an agent's %s file, and names the remedy", async (_what, file) => {
    await lab.prepare();
    const before = lab.head();
    writeFileSync(join(lab.repo, file), "the agent's\n");
    lab.sourceCommits({ [file]: "the source's\n" });
    await expect(lab.prepare()).rejects.toThrow(
      `the new code would overwrite the agent's uncommitted changes in ${file}; commit them or ` +
        `stash them: git -C ${lab.repo} stash --include-untracked, then: pulumi up`,
    );
    expect([lab.head(), lab.read(file)]).toEqual([before, "the agent's\n"]);
  });

  it("rejects conflicts, names every file, and leaves the work tree unchanged", async () => {
    await lab.prepare();
    const own = await lab.agentCommits({ "page.txt": "mine\n", "other.txt": "mine\n" });
    lab.sourceCommits({ "page.txt": "theirs\n", "other.txt": "theirs\n" });
    const theirs = lab.source.git("rev-parse", "--short=12", "HEAD");
    await expect(lab.prepare()).rejects.toThrow(
      `the new code conflicts with the agent's own commits in other.txt, page.txt; merge it by hand: ` +
        `git -C ${lab.repo} merge ${theirs}, then: pulumi up`,
    );
    expect([lab.head(), lab.read("page.txt"), await lab.git("status", "--porcelain")]).toEqual([own, "mine\n", ""]);
    await lab.git("merge", "--quiet", "--strategy-option=ours", "--message", "By hand", theirs);
    const merged = lab.head();
    expect(await lab.prepare()).toEqual({ before: merged, after: merged });
  });

  it("merges despite a failing hook of the agent", async () => {
    await lab.prepare();
    await lab.agentCommits({ "notes.txt": "mine\n" });
    const hook = join(lab.repo, ".git", "hooks", "pre-merge-commit");
    mkdirSync(join(lab.repo, ".git", "hooks"), { recursive: true });
    writeFileSync(hook, "#!/bin/sh\nexit 1\n");
    chmodSync(hook, 0o755);
    lab.sourceCommits({ "other.txt": "second\n" });
    await lab.prepare();
    expect(lab.read("other.txt")).toBe("second\n");
  });

  it("is undone, but not past the agent's commits", async () => {
    await lab.prepare();
    const own = await lab.agentCommits({ "notes.txt": "mine\n" });
    lab.sourceCommits({ "other.txt": "second\n" });
    const merged = await lab.prepare();
    writeFileSync(join(lab.repo, "draft.txt"), "in no commit\n");
    expect(await undoMerge(lab.repo, merged, lab.environment)).toBe(true);
    expect([lab.head(), lab.read("other.txt"), lab.read("draft.txt")]).toEqual([own, "other\n", "in no commit\n"]);
    const again = await lab.prepare();
    const upon = await lab.agentCommits({ "notes.txt": "more\n" });
    expect(await undoMerge(lab.repo, again, lab.environment)).toBe(false);
    expect(lab.head()).toBe(upon);
  });
});

describe("a repo from scratch", () => {
  const scratch = { source: undefined, agentType: "chat" };

  it("starts with the stock type's files, all committed, and its create template", async () => {
    await lab.prepare(scratch);
    expect(await lab.git("status", "--porcelain", "--ignored")).toBe("");
    expect(lab.read(".mngr/settings.toml")).toContain('[create_templates.entrypoint]\ntype = "chat"\n');
    expect(lab.read(".mngr/settings.toml")).toContain("[agent_types.chat]");
    expect(existsSync(join(lab.repo, "server.mjs"))).toBe(true);
    expect(existsSync(join(lab.repo, "node_modules/ws/package.json"))).toBe(true);
    const { template, files } = await lab.settings(scratch);
    expect(template).toBe("entrypoint");
    expect(parse(files["settings.toml"] ?? "")).toEqual(parse(lab.read(".mngr/settings.toml")));
  });

  it("accepts any other type that mngr knows", async () => {
    await lab.prepare({ ...scratch, agentType: "claude" });
    expect(lab.read(".mngr/settings.toml")).toBe('[create_templates.entrypoint]\ntype = "claude"\n');
  });
});
