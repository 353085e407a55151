import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { refsOf, type Work, workSince } from "../../components/cron/local/runs/work.ts";
import { noMaintenance } from "./repository.ts";

/** The branch of the run. */
export const own = "changelings/run-1";

let template: string | undefined;
afterAll(() => {
  if (template !== undefined) rmSync(template, { recursive: true, force: true });
  template = undefined;
});

/** A repository with a remote, its people, and a run's work tree in it; or, isolated, a clone that is the agent's alone. */
export class Scene implements Disposable {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "run-work-")));
  readonly primary = join(this.folder, "primary");
  readonly tree: string;
  readonly #isolated: boolean;
  readonly env: Record<string, string>;
  readonly #start = join(this.folder, "start");
  #count = 0;

  constructor(isolated = false) {
    this.#isolated = isolated;
    this.tree = isolated ? this.primary : join(this.folder, "tree");
    this.env = {
      PATH: `${process.env["PATH"]}`,
      HOME: this.folder,
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_EDITOR: "true",
      ...noMaintenance,
    };
    if (template === undefined) {
      this.#build();
      template = mkdtempSync(join(tmpdir(), "run-work-template-"));
      cpSync(this.folder, template, { recursive: true });
    } else cpSync(template, this.folder, { recursive: true });
    this.#count = 1;
  }

  /** Remotes are relative paths, so that all of it can be copied. */
  #build(): void {
    const bare = ["-c", "init.templateDir="];
    this.git(this.folder, ...bare, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git");
    for (const name of ["colleague", "primary"]) {
      if (name === "primary") this.git(this.at("colleague"), "push", "--quiet", "origin", "HEAD:main");
      this.git(this.folder, ...bare, "clone", "--quiet", "origin.git", name);
      this.git(this.at(name), "remote", "set-url", "origin", "../origin.git");
      this.git(this.at(name), "config", "push.default", "current");
      if (name === "colleague") this.commit("somebody", this.at("colleague"));
    }
  }

  async begin(): Promise<this> {
    if (this.#isolated) this.git(this.primary, "checkout", "--quiet", "--no-track", "-b", own, "origin/main");
    writeFileSync(this.#start, await refsOf(this.primary, this.env));
    if (!this.#isolated)
      this.git(this.primary, "worktree", "add", "--quiet", "--no-track", "-b", own, this.tree, "main");
    return this;
  }

  work({ start = this.#start } = {}): Promise<Work> {
    const { primary: folder, tree: worktree } = this;
    const isShared = !this.#isolated;
    const base = isShared ? "refs/heads/main" : "refs/remotes/origin/main";
    return workSince({ folder, start, base, branch: own, worktree, isShared }, this.env);
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  git(cwd: string, ...args: string[]): string {
    return this.gitAs("somebody", cwd, ...args);
  }

  gitAs(who: string, cwd: string, ...args: string[]): string {
    const names = Object.fromEntries(
      ["AUTHOR", "COMMITTER"].flatMap((role) => [
        [`GIT_${role}_NAME`, who],
        [`GIT_${role}_EMAIL`, `${who}@example.com`],
      ]),
    );
    const env = { ...this.env, ...names };
    return execFileSync("git", args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  }

  /** Commits a new file; its subject says who made it. */
  commit(who: string, cwd: string): string {
    this.#count += 1;
    const subject = `${who} ${this.#count}`;
    writeFileSync(join(cwd, `file-${this.#count}`), subject);
    this.gitAs(who, cwd, "add", "--all");
    this.gitAs(who, cwd, "commit", "--quiet", "--message", subject);
    return subject;
  }

  agent(...args: string[]): string {
    return this.gitAs("agent", this.tree, ...args);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

export const subjects = (work: Work) => work.commits.map(({ subject }) => subject).sort();
