import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach } from "vitest";
import { gitIn } from "../../components/git/git.ts";
import { type AgentSettings, agentSettings } from "../../components/web/agent/settings.ts";
import type { WebSpec } from "../../components/web/agent/spec.ts";
import type { Merged } from "../../components/web/repo/merge.ts";
import { prepareRepo } from "../../components/web/repo/repo.ts";
import { type Files, headOf, Repository } from "./repository.ts";
import { webSpecOf } from "./web-spec.ts";

const entrypoint = '[create_templates.entrypoint]\ntype = "elena-code"\n';
const past = { author: "Somebody", at: "2026-11-21T12:00:00+00:00" };

const first: Files = {
  ".mngr/settings.toml": entrypoint,
  "page.txt": "1\n2\n3\n4\n5\n6\n7\n",
  "other.txt": "other\n",
};

/** The repo of a web agent, not created yet, and its source. Both are new for each test. */
export class WebRepoLab {
  home = "";
  repo = "";
  source!: Repository;
  /** Each change of the repo's commit that `prepare` reported. */
  moves: Merged[] = [];

  constructor() {
    beforeEach(() => {
      this.home = mkdtempSync(join(tmpdir(), "web-repo-"));
      this.repo = join(this.home, "agent");
      this.source = new Repository({ name: "web-repo-lab", make: (repository) => repository.commit(first, past) });
      this.moves = [];
    });
    afterEach(() => {
      this.source[Symbol.dispose]();
      rmSync(this.home, { recursive: true, force: true });
    });
  }

  get environment() {
    return {
      PATH: `${process.env["PATH"]}`,
      HOME: this.home,
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
    };
  }

  spec(more: Partial<WebSpec> = {}): WebSpec {
    return webSpecOf({ source: this.source.folder, ...more });
  }

  prepare(more?: Partial<WebSpec>): Promise<Merged> {
    const onMove = (merged: Merged) => void this.moves.push(merged);
    return prepareRepo(this.repo, this.spec(more), { env: this.environment, token: undefined, onMove });
  }

  /** @returns the git commands that a repeated `prepare` starts */
  async commandsOf(more?: Partial<WebSpec>): Promise<string[]> {
    const events = join(this.home, "git-events");
    const env = { ...this.environment, GIT_TRACE2_EVENT: events };
    await prepareRepo(this.repo, this.spec(more), { env, token: undefined, onMove: () => {} });
    const starts = readFileSync(events, "utf8")
      .split("\n")
      .filter((line) => line.includes('"event":"start"'));
    return starts.flatMap((line) => /"argv":\["git","([^"]+)"/.exec(line)?.[1] ?? []);
  }

  /** The settings that mngr would receive for its agent. */
  settings(more?: Partial<WebSpec>): Promise<AgentSettings> {
    return agentSettings(gitIn(this.repo, this.environment), "HEAD", this.spec(more));
  }

  /** Runs git as the agent or a user would: with the repo's own settings and hooks. */
  async git(...args: string[]): Promise<string> {
    const options = { cwd: this.repo, env: this.environment };
    return (await promisify(execFile)("git", ["-c", "user.name=E", "-c", "user.email=e@x", ...args], options)).stdout;
  }

  head(): string {
    return headOf(this.repo);
  }

  read(file: string): string {
    return readFileSync(join(this.repo, file), "utf8");
  }

  /** @returns the commit */
  async agentCommits(files: Record<string, string>): Promise<string> {
    for (const [file, text] of Object.entries(files)) writeFileSync(join(this.repo, file), text);
    await this.git("add", "--all");
    await this.git("commit", "--quiet", "--message", "The agent's own");
    return this.head();
  }

  sourceCommits(files: Files): void {
    this.source.commit(files, past);
  }
}
