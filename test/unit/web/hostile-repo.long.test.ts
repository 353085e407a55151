import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { commitOf, countUncommitted, gitIn } from "../../../components/git/git.ts";
import type { WebRecord } from "../../../components/web/agent/record.ts";
import type { MachineWeb } from "../../../components/web/machine/machine-web.ts";
import { downloadRepo } from "../../../components/web/machine/temporary-repo.ts";
import { WebRepoLab } from "../../support/web-repo-lab.ts";

/** Everything here is what an agent that is root in its own machine could do to its repo. */

const lab = new WebRepoLab();
/** Appears when something of the agent's ran here. */
const proof = () => join(lab.home, "ran-here");
const ran = () => existsSync(proof());

/** A program of the agent's, by its path. */
function program(): string {
  const path = join(lab.home, "program");
  writeFileSync(path, `#!/bin/sh\necho "$0 $*" >>${proof()}\nexit 1\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Settings by which git runs a program at whatever it does. */
async function poison(): Promise<void> {
  const run = program();
  for (const key of [
    ...[
      "core.fsmonitor",
      "core.sshCommand",
      "core.gitProxy",
      "core.askPass",
      "core.pager",
      "core.editor",
      "gpg.program",
    ],
    ...["core.alternateRefsCommand", "uploadpack.packObjectsHook", "diff.external", "filter.evil.clean"],
    ...["filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "merge.evil.driver", "credential.helper"],
    ...["alias.status", "remote.origin.uploadpack", "remote.origin.vcs", "tar.tar.command"],
  ])
    await lab.git("config", key, run);
  for (const [key, value] of [
    ["commit.gpgSign", "true"],
    ["log.showSignature", "true"],
    ["protocol.ext.allow", "always"],
    ["extensions.partialClone", "origin"],
    ["remote.origin.promisor", "true"],
    ["core.hooksPath", join(lab.home, "hooks")],
    ["filter.evil.required", "true"],
  ] as const)
    await lab.git("config", key, value);
  mkdirSync(join(lab.home, "hooks"), { recursive: true });
  for (const folder of [join(lab.home, "hooks"), join(lab.repo, ".git", "hooks")]) {
    mkdirSync(folder, { recursive: true });
    for (const hook of ["post-checkout", "post-index-change", "reference-transaction", "post-merge", "pre-push"])
      cpSync(run, join(folder, hook));
  }
  writeFileSync(join(lab.repo, ".git", "info", "attributes"), "* filter=evil diff=evil merge=evil\n");
}

describe("a repository from the volume of an agent's machine", () => {
  /** What `pulumi up` does when the machine is gone; `repo` is what the next machine is made from. */
  async function taken(): Promise<{ repo: string; has: boolean; logged: string[] }> {
    const repo = join(lab.home, "temporary", "repo");
    rmSync(dirname(repo), { recursive: true, force: true });
    mkdirSync(dirname(repo));
    const logged: string[] = [];
    const web = {
      env: lab.environment,
      log: (line: string) => void logged.push(line),
      machines: {
        downloadRepo: async (_volume: string, folder: string) => {
          cpSync(lab.repo, folder, { recursive: true, verbatimSymlinks: true });
          return true;
        },
      },
    };
    const record = { repo: "volume" };
    // Nothing else of them is looked at.
    const has = await downloadRepo(repo, lab.spec(), record as WebRecord, web as unknown as MachineWeb);
    return { repo, has, logged };
  }

  const gitOf =
    (repo: string) =>
    (...args: string[]) =>
      execFileSync("git", args, { cwd: repo, env: lab.environment, encoding: "utf8" }).trim();

  it("keeps commits, branches, tags and uncommitted changes", async () => {
    await lab.prepare();
    const own = await lab.agentCommits({ "notes.txt": "mine\n" });
    await lab.git("branch", "side");
    await lab.git("tag", "v1");
    await lab.git("pack-refs", "--all");
    await lab.git("gc", "--quiet");
    const last = await lab.agentCommits({ "notes.txt": "more\n" });
    writeFileSync(join(lab.repo, "page.txt"), "changed\n");
    writeFileSync(join(lab.repo, "staged.txt"), "staged\n");
    await lab.git("add", "staged.txt");
    const { repo, has, logged } = await taken();
    const git = gitOf(repo);
    expect(has).toBe(true);
    expect([git("rev-parse", "HEAD"), git("branch", "--show-current")]).toEqual([last, "main"]);
    expect([git("rev-parse", "side"), git("rev-parse", "v1^{commit}")]).toEqual([own, own]);
    expect(git("status", "--porcelain")).toBe("");
    expect(readFileSync(join(repo, "notes.txt"), "utf8")).toBe("more\n");
    expect(logged).toHaveLength(1);
    git("stash", "apply", "--quiet", "changelings/uncommitted");
    expect(git("status", "--porcelain").split("\n").sort()).toEqual(["A  staged.txt", "M page.txt"]);
    expect(existsSync(`${repo}.taken`)).toBe(false);
  });

  it("loses settings, hooks, filters and attributes that would run programs here", async () => {
    await lab.prepare();
    await lab.agentCommits({ ".gitattributes": "* filter=evil diff=evil merge=evil\n" });
    writeFileSync(join(lab.repo, "page.txt"), "changed\n");
    await poison();
    const { repo } = await taken();
    lab.repo = repo;
    await lab.prepare();
    expect(ran() ? readFileSync(proof(), "utf8") : "").toBe("");
    const config = readFileSync(join(repo, ".git", "config"), "utf8");
    expect(config).not.toContain("program");
    expect(existsSync(join(repo, ".git", "hooks"))).toBe(false);
    expect(existsSync(join(repo, ".git", "info", "attributes"))).toBe(false);
  });

  it("does not run git in nested repositories, including submodules", async () => {
    await lab.prepare();
    const sub = join(lab.repo, "sub");
    mkdirSync(sub);
    const inSub = gitOf(sub);
    inSub("init", "--quiet");
    inSub("-c", "user.name=E", "-c", "user.email=e@x", "commit", "--quiet", "--allow-empty", "--message=1");
    await lab.git("-c", "advice.addEmbeddedRepo=false", "add", "sub");
    await lab.git("commit", "--quiet", "--message", "sub");
    inSub("config", "core.fsmonitor", program());
    writeFileSync(join(lab.repo, ".gitmodules"), '[submodule "sub"]\n\tpath = sub\n\turl = ./sub\n\tignore = none\n');
    writeFileSync(join(lab.repo, "page.txt"), "changed\n");
    expect((await taken()).has).toBe(true);
    expect(ran()).toBe(false);
  });

  it("reads no other repository of this machine through links or names", async () => {
    await lab.prepare();
    lab.sourceCommits({ "private.txt": "the person's\n" });
    const theirs = lab.source.git("rev-parse", "HEAD");
    const git = join(lab.repo, ".git");
    const aside = join(lab.home, "git-aside");
    const restore = () => {
      rmSync(git, { recursive: true, force: true });
      cpSync(aside, git, { recursive: true });
    };
    cpSync(git, aside, { recursive: true });

    writeFileSync(join(git, "objects", "info", "alternates"), `${lab.source.folder}/.git/objects\n`);
    writeFileSync(join(git, "refs", "heads", "loot"), `${theirs}\n`);
    const { repo } = await taken();
    expect(await commitOf(gitIn(repo, lab.environment), theirs)).toBeUndefined();

    restore();
    rmSync(join(git, "objects"), { recursive: true });
    symlinkSync(`${lab.source.folder}/.git/objects`, join(git, "objects"));
    await expect(taken()).rejects.toThrow("lacks its commit");

    rmSync(git, { recursive: true });
    symlinkSync(`${lab.source.folder}/.git`, git);
    await expect(taken()).rejects.toThrow("the .git of the agent of elena is not a folder of its repository");
    rmSync(git);
    writeFileSync(git, `gitdir: ${lab.source.folder}/.git\n`);
    await expect(taken()).rejects.toThrow("the .git of the agent of elena is not a folder of its repository");

    restore();
    writeFileSync(join(git, "HEAD"), "ref: refs/heads/../../../../secret\n");
    await expect(taken()).rejects.toThrow("has an unsupported format");
    writeFileSync(join(git, "HEAD"), "ref: refs/heads/.invalid\n");
    await expect(taken()).rejects.toThrow("has an unsupported format");
  });

  it("does not exist without commits", async () => {
    mkdirSync(lab.repo);
    await lab.git("init", "--quiet");
    expect((await taken()).has).toBe(false);
  });
});

describe("an agent's own settings", () => {
  it("reach its branch and mngr only if accepted", async () => {
    const evil = '[create_templates.entrypoint]\ntype = "elena-code"\nupload_file = ["/etc/passwd:loot"]\n';
    await lab.prepare();
    const before = lab.head();
    lab.sourceCommits({ ".mngr/settings.toml": `pre_command_scripts = { create = ["id"] }\n${evil}` });
    await expect(lab.prepare()).rejects.toThrow(
      "pre_command_scripts in .mngr/settings.toml; create_templates.entrypoint.upload_file in .mngr/settings.toml",
    );
    expect([lab.head(), lab.moves]).toEqual([before, []]);

    lab.sourceCommits({ ".mngr/settings.toml": '[create_templates.entrypoint]\ntype = "elena-code"\n' });
    await lab.agentCommits({ ".mngr/settings.toml": evil });
    await expect(lab.prepare()).rejects.toThrow("create_templates.entrypoint.upload_file in .mngr/settings.toml");
    rmSync(lab.repo, { recursive: true });
    lab.sourceCommits({ ".mngr/settings.toml": evil });
    await expect(lab.prepare()).rejects.toThrow("create_templates.entrypoint.upload_file in .mngr/settings.toml");
    expect(existsSync(lab.repo)).toBe(false);
  });
});

describe("git on this machine", () => {
  it("runs no monitor, hook, pager or signature program that a repository configures", async () => {
    await lab.prepare();
    await lab.agentCommits({ "notes.txt": "mine\n" });
    const run = program();
    for (const key of ["core.fsmonitor", "gpg.program", "core.pager"]) await lab.git("config", key, run);
    await lab.git("config", "log.showSignature", "true");
    await lab.git("config", "commit.gpgSign", "true");
    for (const hook of [
      "post-checkout",
      "post-merge",
      "pre-merge-commit",
      "reference-transaction",
      "post-index-change",
    ]) {
      mkdirSync(join(lab.repo, ".git", "hooks"), { recursive: true });
      cpSync(run, join(lab.repo, ".git", "hooks", hook));
    }
    rmSync(proof(), { force: true });
    lab.sourceCommits({ "other.txt": "second\n" });
    await lab.prepare();
    await countUncommitted(lab.repo, lab.environment);
    await gitIn(lab.repo, lab.environment).run(["log", "-1", "--format=%H"]);
    expect(ran() ? readFileSync(proof(), "utf8") : "").toBe("");
  });

  it("runs nothing that a source on this machine configures", async () => {
    const run = program();
    for (const [key, value] of [
      ["uploadpack.packObjectsHook", run],
      ["core.fsmonitor", run],
      ["core.alternateRefsCommand", run],
      ["extensions.partialClone", "evil"],
      ["remote.evil.promisor", "true"],
      ["remote.evil.url", `ext::${run}`],
      ["remote.evil.uploadpack", run],
      ["protocol.ext.allow", "always"],
    ] as const)
      lab.source.git("config", key, value);
    const hook = join(lab.source.folder, ".git", "hooks");
    mkdirSync(hook, { recursive: true });
    cpSync(run, join(hook, "post-checkout"));
    await lab.prepare();
    // A missing object is what a partial clone would fetch.
    const blob = lab.source.git("rev-parse", "HEAD:other.txt");
    rmSync(join(lab.source.folder, ".git", "objects", blob.slice(0, 2), blob.slice(2)));
    rmSync(lab.repo, { recursive: true });
    await lab.prepare().catch(() => undefined);
    expect(ran() ? readFileSync(proof(), "utf8") : "").toBe("");
  });
});
