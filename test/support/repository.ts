import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fillOnce } from "./made-once.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Author and date of a commit; ISO 8601 with offset. */
export interface Past {
  readonly author: string;
  readonly at: string;
}

/** Contents by path; null removes the file. */
export type Files = Readonly<Record<string, string | Buffer | null>>;

/** In the environment of git: no process after each commit and fetch that looks whether the repository needs cleaning up. */
export const noMaintenance = {
  GIT_CONFIG_COUNT: "2",
  ...{ GIT_CONFIG_KEY_0: "maintenance.auto", GIT_CONFIG_VALUE_0: "false" },
  ...{ GIT_CONFIG_KEY_1: "receive.autogc", GIT_CONFIG_VALUE_1: "false" },
};

/** The content of repositories that are copies of one that is made once per test run. */
export interface Content {
  /** Distinguishes it from other contents. */
  readonly name: string;
  /** Adds it to an empty repository. */
  make(repository: Repository): void;
}

/** The commit that is checked out. git is only started if it has packed the branch's ref. */
export function headOf(folder: string): string {
  const head = readFileSync(join(folder, ".git", "HEAD"), "utf8").trim();
  const ref = join(folder, ".git", head.replace(/^ref: /, ""));
  if (/^[0-9a-f]{40}$/.test(head)) return head;
  if (existsSync(ref)) return readFileSync(ref, "utf8").trim();
  const { status, stdout } = spawnSync("git", ["-C", folder, "rev-parse", "--verify", "HEAD"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${folder} has no commit`);
  return stdout.trim();
}

/** A git repository in a temporary folder, isolated from other git settings. */
export class Repository {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;

  /** @param origin is cloned with these options, or copied, instead of creating an empty repository */
  constructor(origin?: string | Repository | Content, ...options: string[]) {
    const home = mkdtempSync(join(tmpdir(), "repository-"));
    this.folder = join(home, "repo");
    this.env = {
      ...{ PATH: process.env["PATH"], HOME: home, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" },
      ...noMaintenance,
    };
    mkdirSync(this.folder);
    if (origin instanceof Repository) cpSync(origin.folder, this.folder, { recursive: true });
    else if (origin === undefined) fillEmpty(this.folder, this.env);
    else if (typeof origin === "object") fillOnce(this.folder, origin.name, (folder) => fill(folder, origin));
    else this.git("clone", "--quiet", ...options, `file://${origin}`, ".");
  }

  [Symbol.dispose](): void {
    rmSync(dirname(this.folder), { recursive: true, force: true, maxRetries: 3 });
  }

  /** @returns its output, without the last newline @throws if git fails */
  git(...args: string[]): string {
    const { code, stdout, stderr } = this.run("git", args);
    if (code !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
    return stdout.replace(/\n$/, "");
  }

  write(files: Files): void {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.folder, path);
      mkdirSync(dirname(file), { recursive: true });
      if (content === null) rmSync(file);
      else writeFileSync(file, content);
    }
  }

  /** Writes the files and commits everything. */
  commit(files: Files, { author, at }: Past): void {
    this.write(files);
    this.git("add", "--all");
    const who = { NAME: author, EMAIL: "somebody@example.com", DATE: at };
    const env = Object.fromEntries(
      Object.entries(who).flatMap(([key, value]) => [
        [`GIT_AUTHOR_${key}`, value],
        [`GIT_COMMITTER_${key}`, value],
      ]),
    );
    const { code, stderr } = this.run("git", ["commit", "--quiet", "--allow-empty", "--message", "Past"], env);
    if (code !== 0) throw new Error(stderr);
  }

  run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Ended {
    const ended = spawnSync(program, args, { cwd: this.folder, env: { ...this.env, ...env }, encoding: "utf8" });
    if (ended.error !== undefined) throw ended.error;
    return { code: ended.status, stdout: ended.stdout, stderr: ended.stderr };
  }
}

/** Makes a folder an empty repository, without the samples of hooks, which are most of what git copies. */
export function fillEmpty(path: string, env: NodeJS.ProcessEnv): void {
  fillOnce(path, "empty-repository", (folder) => {
    const init = ["init", "--quiet", "--template=", "--initial-branch=main"];
    const { status, stderr } = spawnSync("git", init, { cwd: folder, env, encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    for (const name of ["hooks", "info"]) mkdirSync(join(folder, ".git", name));
  });
}

function fill(folder: string, content: Content): void {
  using made = new Repository();
  content.make(made);
  cpSync(made.folder, folder, { recursive: true });
}
