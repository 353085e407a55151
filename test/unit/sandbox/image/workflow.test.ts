import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { appFiles } from "../../../../components/sandbox/image/image.ts";

/** The commands that AGENTS.md and the workflow pages give to agents, executed to the letter. */

/** The blocks of commands below a heading or in a whole page, in order. */
function blocks(page: string, heading?: string): string[] {
  const text = appFiles().get(page) ?? "";
  const part = heading === undefined ? text : text.slice(text.indexOf(`\n## ${heading}\n`)).split(/\n## /)[1];
  return [...(part ?? "").matchAll(/```bash\n([\s\S]*?)```/g)].map(([, block = ""]) => block.replace(/^ +/gm, ""));
}

class Lab implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "workflow-"));
  readonly #env = {
    ...{ PATH: process.env["PATH"], HOME: this.folder, GIT_CONFIG_NOSYSTEM: "1" },
    ...{ GIT_AUTHOR_NAME: "Ada (Harvest)", GIT_AUTHOR_EMAIL: "ada@example.org" },
    ...{ GIT_COMMITTER_NAME: "Ada (Harvest)", GIT_COMMITTER_EMAIL: "ada@example.org" },
  };

  constructor() {
    execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", join(this.folder, "origin.git")]);
    for (const clone of ["own", "other"]) {
      this.sh(`git clone --quiet origin.git ${clone} 2>&1`, ".");
      this.sh("git checkout --quiet -B main", clone);
    }
    this.sh("echo one > file && git add -A && git commit --quiet -m one && git push --quiet origin main");
    this.sh("git fetch --quiet && git reset --quiet --hard origin/main", "other");
  }

  /** Commits a change to the remote's main from elsewhere. */
  elsewhere(file: string, text: string): void {
    writeFileSync(join(this.folder, "other", file), text);
    this.sh(
      "git fetch -q && git rebase -q --autostash origin/main && git add -A && git commit -qm Other && git push -q origin main",
      "other",
    );
  }

  /** @returns what it printed @throws if it fails */
  sh(script: string, at = "own"): string {
    const { code, output } = this.try(script, at);
    if (code !== 0) throw new Error(`${script}\n${output}`);
    return output;
  }

  try(script: string, at = "own"): { readonly code: number | null; readonly output: string } {
    const cwd = join(this.folder, at);
    const { status, stdout, stderr } = spawnSync("sh", ["-ec", script], { cwd, env: this.#env, encoding: "utf8" });
    return { code: status, output: stdout + stderr };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

test("Safe-Carry-Forward brings work to a branch that others pushed to, as one commit", () => {
  using lab = new Lab();
  const [snapshot = "", sync = "", squash = "", checkpoint = ""] = blocks("AGENTS.md");
  lab.elsewhere("theirs", "theirs");
  lab.sh("printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit");
  for (const text of ["first", "second"]) {
    lab.sh(`echo ${text} >> mine`);
    lab.sh(snapshot);
  }
  lab.sh("rm .git/hooks/pre-commit");
  lab.sh(sync.replaceAll("<branch>", "main"));
  lab.sh(squash.replaceAll("<branch>", "main"));
  expect(lab.sh("git log --format=%s origin/main")).toBe("feat: descriptive message\nOther\none\n");
  expect(lab.sh("git show --stat --format= origin/main")).toContain("mine | 2 ++");
  lab.sh(checkpoint);
  expect(lab.sh("git branch --format='%(refname:short)'")).toMatch(/^checkpoint-main-\d+\nmain\n$/);
  expect(lab.sh("git branch --show-current")).toBe("main\n");
});

test("a new branch is pushed by the commands for one that is not on the remote", () => {
  using lab = new Lab();
  lab.elsewhere("theirs", "theirs");
  lab.sh("git checkout -q -b feature && echo mine > mine");
  const [snapshot = "", sync = ""] = blocks("AGENTS.md");
  lab.sh(snapshot);
  expect(lab.try(sync.replaceAll("<branch>", "feature")).output).toContain("invalid upstream");
  const first = blocks("docs/ai/git.md", "Squash before push").find((block) => block.includes("origin/main"));
  lab.sh((first ?? "").replaceAll("<branch>", "feature"));
  expect(lab.sh("git log --format=%s origin/feature")).toBe("feat: descriptive message\nOther\none\n");
});

test("the panic button saves the work during a rebase too, and leaves the branch as it was", () => {
  using lab = new Lab();
  lab.elsewhere("file", "theirs");
  lab.sh("echo mine > file");
  const [snapshot = "", sync = ""] = blocks("AGENTS.md");
  lab.sh(snapshot);
  expect(lab.try(sync.replaceAll("<branch>", "main")).output).toContain("CONFLICT");
  const page = appFiles().get("docs/ai/panic.md") ?? "";
  const abort = /`(git rebase --abort)`/.exec(page)?.[1] ?? "";
  lab.sh(abort);
  lab.sh("echo unsaved > draft");
  lab.sh(blocks("docs/ai/panic.md")[0] ?? "");
  const [saved = "", current] = lab.sh("git branch --format='%(refname:short)'").trim().split("\n");
  expect([saved, current]).toEqual([expect.stringMatching(/^checkpoint-main-\d+$/), "main"]);
  expect(lab.sh(`git show ${saved}:draft && git show ${saved}:file && git show main:file`)).toBe(
    "unsaved\nmine\nmine\n",
  );
  expect(lab.sh("git status --porcelain")).toBe("");
});

test("every git command of the pages is one that git has", () => {
  const commands = new Set<string>();
  for (const [page, text] of appFiles()) {
    if (!page.endsWith(".md")) continue;
    for (const [, command = ""] of text.matchAll(/(?:^ *|`|&& )git ([a-z][a-z-]+)/gm)) commands.add(command);
  }
  const known = execFileSync("git", ["--list-cmds=main,others,alias,nohelpers"], { encoding: "utf8" }).split("\n");
  expect(commands.size).toBeGreaterThan(10);
  expect([...commands].filter((command) => !known.includes(command))).toEqual([]);
});
