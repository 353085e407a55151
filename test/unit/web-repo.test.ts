import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { gitIn } from "../../components/source/git.ts";
import { takeBack } from "../../components/web/local/merge.ts";
import { linkRemote } from "../../components/web/local/push.ts";
import { prepareRepo } from "../../components/web/local/repo.ts";
import { writeRepoFiles } from "../../components/web/local/repo-files.ts";
import type { WebSpec } from "../../components/web/spec.ts";
import { Repository } from "../support/repository.ts";
import { webSpecOf } from "../support/web-spec.ts";

const past = { author: "Somebody", at: "2026-11-21T12:00:00+00:00" };
let home: string;
let source: Repository;
let repo: string;
let moves: { before: string; after: string }[];
const environment = () => ({
  PATH: `${process.env["PATH"]}`,
  HOME: home,
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "web-repo-"));
  repo = join(home, "agent");
  source = new Repository();
  source.commit({ "page.txt": "1\n2\n3\n4\n5\n6\n7\n", "other.txt": "other\n" }, past);
  moves = [];
});
afterEach(() => {
  source[Symbol.dispose]();
  rmSync(home, { recursive: true, force: true });
});

const spec = (more: Partial<WebSpec> = {}) => webSpecOf({ source: source.folder, ...more });
const prepare = (more?: Partial<WebSpec>) =>
  prepareRepo(repo, spec(more), { env: environment(), token: undefined, onMove: (merged) => moves.push(merged) });
const git = (...args: string[]) =>
  gitIn(repo, environment()).run(["-c", "user.name=E", "-c", "user.email=e@x", ...args]);
const head = async () => (await git("rev-parse", "HEAD")).trim();
const read = (file: string) => readFileSync(join(repo, file), "utf8");
async function agentCommits(files: Record<string, string>): Promise<string> {
  for (const [file, text] of Object.entries(files)) writeFileSync(join(repo, file), text);
  await git("add", "--all");
  await git("commit", "--quiet", "--message", "The agent's own");
  return head();
}

describe("a repo with a source", () => {
  it("holds the source's commit, follows no remote branch, and is nobody else's to read", async () => {
    const tip = source.git("rev-parse", "HEAD");
    expect(await prepare({ commit: tip })).toEqual({ before: tip, after: tip });
    expect(await head()).toBe(tip);
    expect((await git("rev-parse", "--abbrev-ref", "HEAD")).trim()).toBe("main");
    expect((await git("remote", "get-url", "origin")).trim()).toBe(source.folder);
    await expect(git("rev-parse", "--abbrev-ref", "@{upstream}")).rejects.toThrow("no upstream");
    expect(statSync(repo).mode & 0o777).toBe(0o700);
  });

  it("takes the branch's tip when no commit is known, and a commit that is there without asking the source", async () => {
    const first = source.git("rev-parse", "HEAD");
    source.commit({ "page.txt": "new\n" }, past);
    await prepare();
    expect(read("page.txt")).toBe("new\n");
    rmSync(source.folder, { recursive: true });
    await prepare({ commit: first });
  });

  it("is made anew when the first time was cut short", async () => {
    mkdirSync(`${repo}.unfinished`);
    writeFileSync(join(`${repo}.unfinished`, "rubbish"), "");
    await prepare();
    expect([existsSync(join(repo, "rubbish")), existsSync(`${repo}.unfinished`)]).toEqual([false, false]);
  });

  it("says that the source's branch was changed meanwhile", async () => {
    await expect(prepare({ commit: "1".repeat(40) })).rejects.toThrow(
      `${source.folder} has commit ${"1".repeat(40)} no more: its branch main was changed meanwhile; once more: pulumi up`,
    );
    expect(existsSync(repo)).toBe(false);
  });

  it("goes forward where the agent committed nothing, and merges where it did", async () => {
    const first = source.git("rev-parse", "HEAD");
    await prepare();
    source.commit({ "other.txt": "second\n" }, past);
    const second = source.git("rev-parse", "HEAD");
    expect(await prepare()).toEqual({ before: first, after: second });
    const own = await agentCommits({ "page.txt": "1!\n2\n3\n4\n5\n6\n7\n" });
    source.commit({ "page.txt": "1\n2\n3\n4\n5\n6\n7!\n" }, past);
    const merged = await prepare();
    expect(merged).toEqual({ before: own, after: await head() });
    expect(moves).toEqual([{ before: first, after: second }, merged]);
    expect(read("page.txt")).toBe("1!\n2\n3\n4\n5\n6\n7!\n");
    expect((await git("log", "-1", "--format=%an <%ae>")).trim()).toBe(
      "elena (changeling) <elena@changelings.invalid>",
    );
    expect(await prepare()).toEqual({ before: merged.after, after: merged.after });
    expect(existsSync(`${repo}.merge`)).toBe(false);
    expect(await git("worktree", "list")).not.toContain(".merge");
  });

  it("leaves what is in no commit, staged or not, where the new code does not touch it", async () => {
    await prepare();
    writeFileSync(join(repo, "page.txt"), "unstaged\n");
    writeFileSync(join(repo, "staged.txt"), "staged\n");
    await git("add", "staged.txt");
    writeFileSync(join(repo, "notes.txt"), "untracked\n");
    source.commit({ "other.txt": "second\n" }, past);
    await prepare();
    expect([read("other.txt"), read("page.txt")]).toEqual(["second\n", "unstaged\n"]);
    expect(await git("status", "--porcelain")).toBe(" M page.txt\nA  staged.txt\n?? notes.txt\n");
  });

  it.each([
    ["that is changed", "page.txt"],
    ["that git does not know", "new.txt"],
  ])("refuses to overwrite a file of the agent's %s, by name and with the remedy", async (_what, file) => {
    await prepare();
    const before = await head();
    writeFileSync(join(repo, file), "the agent's\n");
    source.commit({ [file]: "the source's\n" }, past);
    await expect(prepare()).rejects.toThrow(
      `the new code would overwrite changes of the agent's that are in no commit, in ${file}; commit them or put them ` +
        `aside: git -C ${repo} stash --include-untracked, then: pulumi up`,
    );
    expect([await head(), read(file)]).toEqual([before, "the agent's\n"]);
  });

  it("refuses what conflicts, names every file, and shows nothing of it in the work tree", async () => {
    await prepare();
    const own = await agentCommits({ "page.txt": "mine\n", "other.txt": "mine\n" });
    source.commit({ "page.txt": "theirs\n", "other.txt": "theirs\n" }, past);
    const theirs = source.git("rev-parse", "--short=12", "HEAD");
    await expect(prepare()).rejects.toThrow(
      `the new code conflicts with the agent's own commits in other.txt, page.txt; merge it by hand: ` +
        `git -C ${repo} merge ${theirs}, then: pulumi up`,
    );
    expect([await head(), read("page.txt"), await git("status", "--porcelain")]).toEqual([own, "mine\n", ""]);
    await git("merge", "--quiet", "--strategy-option=ours", "--message", "By hand", theirs);
    const merged = await head();
    expect(await prepare()).toEqual({ before: merged, after: merged });
  });

  it("merges beside a failing hook of the agent's", async () => {
    await prepare();
    await agentCommits({ "notes.txt": "mine\n" });
    const hook = join(repo, ".git", "hooks", "pre-merge-commit");
    mkdirSync(join(repo, ".git", "hooks"), { recursive: true });
    writeFileSync(hook, "#!/bin/sh\nexit 1\n");
    chmodSync(hook, 0o755);
    source.commit({ "other.txt": "second\n" }, past);
    await prepare();
    expect(read("other.txt")).toBe("second\n");
  });

  it("is taken back to what it was, but not over the agent's commits", async () => {
    await prepare();
    const own = await agentCommits({ "notes.txt": "mine\n" });
    source.commit({ "other.txt": "second\n" }, past);
    const merged = await prepare();
    writeFileSync(join(repo, "draft.txt"), "in no commit\n");
    expect(await takeBack(repo, merged, environment())).toBe(true);
    expect([await head(), read("other.txt"), read("draft.txt")]).toEqual([own, "other\n", "in no commit\n"]);
    const again = await prepare();
    const upon = await agentCommits({ "notes.txt": "more\n" });
    expect(await takeBack(repo, again, environment())).toBe(false);
    expect(await head()).toBe(upon);
  });
});

describe("added paths", () => {
  const added = (...names: string[]) => names.map((name) => ({ from: join(home, name), to: `docs/${name}` }));

  it("stand upon the source, come and go with what is declared, and keep what the agent made of them", async () => {
    writeFileSync(join(home, "style.md"), "one\ntwo\nthree\n");
    mkdirSync(join(home, "folder"));
    writeFileSync(join(home, "folder", "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
    await prepare({ addPaths: added("style.md", "folder") });
    expect(read("docs/style.md")).toBe("one\ntwo\nthree\n");
    expect(statSync(join(repo, "docs/folder/run.sh")).mode & 0o100).toBe(0o100);
    expect(read("page.txt")).toContain("7\n");

    await agentCommits({ "docs/style.md": "ONE\ntwo\nthree\n" });
    writeFileSync(join(home, "style.md"), "one\ntwo\nTHREE\n");
    source.commit({ "other.txt": "second\n" }, past);
    await prepare({ addPaths: added("style.md") });
    expect(read("docs/style.md")).toBe("ONE\ntwo\nTHREE\n");
    expect(read("other.txt")).toBe("second\n");
    expect(existsSync(join(repo, "docs/folder"))).toBe(false);
    const merged = await head();
    expect(await prepare({ addPaths: added("style.md") })).toEqual({ before: merged, after: merged });
  });

  it("are an error when they are not there", async () => {
    await expect(prepare({ addPaths: added("none.md") })).rejects.toThrow(
      `${join(home, "none.md")} of add_paths is not there; mend the path, or remove it from the fleet file`,
    );
  });
});

describe("a repo from scratch", () => {
  const scratch = { source: undefined, agentType: "chat" };

  it("begins with the stock type's files, all of them committed, and its create template", async () => {
    await prepare(scratch);
    expect(await git("status", "--porcelain", "--ignored")).toBe("");
    expect(read(".mngr/settings.toml")).toContain('[create_templates.entrypoint]\ntype = "chat"\n');
    expect(read(".mngr/settings.toml")).toContain("[agent_types.chat]");
    expect(existsSync(join(repo, "server.mjs"))).toBe(true);
    expect(existsSync(join(repo, "node_modules/ws/package.json"))).toBe(true);
    expect(writeRepoFiles(repo, spec(scratch))).toEqual({ template: "entrypoint" });
  });

  it("names any other type that mngr knows", async () => {
    await prepare({ ...scratch, agentType: "claude" });
    expect(read(".mngr/settings.toml")).toBe('[create_templates.entrypoint]\ntype = "claude"\n');
  });
});

describe("what is in no commit of the repo", () => {
  it("is its settings, which git does not see", async () => {
    await prepare();
    const settings = '[chat]\nmodel = "mine"\n';
    writeRepoFiles(repo, spec({ settings, agentType: "chat" }));
    expect(read(".changelings/settings.toml")).toBe(`# Written by \`pulumi up\`; edits are overwritten.\n${settings}`);
    expect(await git("status", "--porcelain")).toBe("");
    writeRepoFiles(repo, spec({ agentType: "chat" }));
    expect(existsSync(join(repo, ".changelings/settings.toml"))).toBe(false);
  });

  it("leaves the repo's own settings alone, and is refused where settings are declared too", async () => {
    source.commit({ ".changelings/settings.toml": "# the repo's\n" }, past);
    await prepare();
    writeRepoFiles(repo, spec({ agentType: "chat" }));
    expect(read(".changelings/settings.toml")).toBe("# the repo's\n");
    await expect(prepare({ settings: "[chat]\n" })).rejects.toThrow(
      "the source of elena holds .changelings/settings.toml itself; remove it there, or settings from the fleet file",
    );
  });

  it("is spec 001's older form of the create template, in today's words", async () => {
    source.commit({ ".mng/settings.toml": '[create_templates.entrypoint]\nagent_type = "elena-code"\n' }, past);
    await prepare();
    expect(writeRepoFiles(repo, spec())).toEqual({ template: "entrypoint" });
    expect(read(".mngr/settings.local.toml")).toContain('[create_templates.entrypoint]\ntype = "elena-code"\n');
    expect(await git("status", "--porcelain")).toBe("");
    source.commit({ ".mngr/settings.toml": '[create_templates.entrypoint]\ntype = "newer"\n' }, past);
    await prepare();
    expect(writeRepoFiles(repo, spec())).toEqual({ template: "entrypoint" });
    expect(existsSync(join(repo, ".mngr/settings.local.toml"))).toBe(false);
  });

  it("needs somebody to say which agent it is", async () => {
    await prepare();
    expect(writeRepoFiles(repo, spec({ agentType: "claude" }))).toEqual({ template: undefined });
    expect(() => writeRepoFiles(repo, spec())).toThrow(
      `${source.folder} does not say which agent it is; write agent_type = "…" into the fleet file, or add to its ` +
        '.mngr/settings.toml: [create_templates.entrypoint] with type = "…"',
    );
  });
});

describe("the remote of an agent's commits", () => {
  const warnings: string[] = [];
  const link = (remote: string | undefined) =>
    linkRemote(repo, spec({ remote }), { env: environment(), token: undefined, warn: (text) => warnings.push(text) });

  it("has them on a branch of the changeling's: those that are there, and each new one as it is made", async () => {
    await prepare();
    const remote = join(home, "remote.git");
    await gitIn(home, environment()).run(["init", "--quiet", "--bare", remote]);
    const there = async () => (await gitIn(remote, environment()).run(["rev-parse", "changelings/elena"])).trim();
    await link(remote);
    expect(await there()).toBe(await head());
    const own = await agentCommits({ "notes.txt": "mine\n" });
    await expect.poll(there, { timeout: 10_000 }).toBe(own);
    await link(undefined);
    expect([existsSync(join(repo, ".git/hooks/post-commit")), (await git("remote")).trim()]).toEqual([false, "origin"]);
    expect(warnings).toEqual([]);
  });

  it("is warned about when it can't be reached, and never overwrites a hook of the agent's", async () => {
    await prepare();
    const hook = join(repo, ".git/hooks/post-commit");
    mkdirSync(join(repo, ".git/hooks"), { recursive: true });
    writeFileSync(hook, "#!/bin/sh\n");
    await link(join(home, "none.git"));
    expect(readFileSync(hook, "utf8")).toBe("#!/bin/sh\n");
    expect(warnings).toEqual([
      `${hook} is not ours: what the agent commits is pushed by \`pulumi up\` alone`,
      expect.stringMatching(/^the commits of elena could not be pushed to .*none\.git: git push: fatal: /),
    ]);
  });
});
