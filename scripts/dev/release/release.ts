import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { released, summary } from "./notes.ts";

export type ReleaseKind = "micro" | "baseline";

export interface ReleaseOptions {
  /** The project's folder. */
  readonly folder: string;
  readonly dryRun: boolean;
  readonly print: (line: string) => void;
  /** The date of the changelog's heading: `2026-01-31`. */
  readonly today?: string;
}

/** The release is not possible; the message says why, and what to do. */
export class ReleaseError extends Error {
  override readonly name = "ReleaseError";
}

/** What has to succeed, as npm scripts. */
const verifications: Readonly<Record<ReleaseKind, readonly string[]>> = {
  micro: ["verify"],
  baseline: ["verify", "coverage"],
};

/**
 * Verifies first: until everything passed, nothing is written.
 *
 * @throws ReleaseError
 */
export async function release(kind: ReleaseKind, options: ReleaseOptions): Promise<void> {
  const { folder, dryRun, print, today = new Date().toISOString().slice(0, 10) } = options;
  requireCleanTree(folder);
  const version = run(folder, "scripts/bump_version.sh", [kind, "--dry-run"]).trim();
  const tag = kind === "micro" ? `v${version}` : `baseline-v${version}`;
  if (git(folder, "tag", "--list", tag).trim() !== "")
    throw new ReleaseError(`The tag ${tag} exists already. See: git show ${tag}`);
  const commits = git(folder, "log", "--no-merges", "--format=%s", ...since(folder))
    .split("\n")
    .filter((line) => line !== "");
  if (commits.length === 0) throw new ReleaseError("There is no commit since the last release.");
  if (dryRun) {
    print(`would run: ${verifications[kind].map((name) => `npm run ${name}`).join(", ")}`);
    print(`would commit version ${version} with ${commits.length} commits, and tag it ${tag}`);
    return;
  }
  for (const name of verifications[kind]) {
    print(`npm run ${name} …`);
    const { status } = spawnSync("npm", ["run", name], { cwd: folder, stdio: "inherit" });
    if (status !== 0) throw new ReleaseError(`npm run ${name} failed: nothing was released.`);
  }
  // Tests may not leave anything behind.
  requireCleanTree(folder);
  try {
    run(folder, "scripts/bump_version.sh", [kind]);
    const changelog = join(folder, "CHANGELOG.md");
    const before = readFileSync(changelog, "utf8");
    writeFileSync(changelog, released(before, version, today));
    writeFileSync(
      join(folder, "RELEASE_SUMMARY.md"),
      summary({ kind, version, tag, today, commits, changelog: before }),
    );
    git(folder, "add", "VERSION", "package.json", "package-lock.json", "CHANGELOG.md", "RELEASE_SUMMARY.md");
    git(
      folder,
      "commit",
      "--quiet",
      "-m",
      `Release ${version}`,
      "-m",
      `A ${kind} release: RELEASE_SUMMARY.md lists its changes.`,
    );
    git(folder, "tag", "--annotate", tag, "-m", `Release ${version} (${kind})`);
  } catch (error) {
    undo(folder, version);
    throw error;
  }
  print(`released ${version} as ${tag}. Push it with: git push origin HEAD --tags`);
}

function requireCleanTree(folder: string): void {
  const changed = git(folder, "status", "--porcelain").trimEnd();
  if (changed !== "") throw new ReleaseError(`The working tree is not clean. Commit or stash first:\n${changed}`);
}

/** The commits since the last release of either kind. */
function since(folder: string): string[] {
  const { status, stdout } = spawnSync("git", ["describe", "--tags", "--abbrev=0", "--match", "*v[0-9]*"], {
    cwd: folder,
    encoding: "utf8",
  });
  return status === 0 ? [`${stdout.trim()}..HEAD`] : [];
}

/** The tree was clean, so nothing is lost. A commit that could not be tagged goes, too. */
function undo(folder: string, version: string): void {
  const subject = git(folder, "log", "-1", "--format=%s").trim();
  git(folder, "reset", "--quiet", "--hard", subject === `Release ${version}` ? "HEAD~1" : "HEAD");
  git(folder, "clean", "--quiet", "--force", "RELEASE_SUMMARY.md");
}

function git(folder: string, ...args: readonly string[]): string {
  return run(folder, "git", args);
}

function run(folder: string, program: string, args: readonly string[]): string {
  const path = program.includes("/") ? join(folder, program) : program;
  const { status, stdout, stderr, error } = spawnSync(path, args, { cwd: folder, encoding: "utf8" });
  if (error !== undefined) throw new ReleaseError(`${program} can't be run: ${error.message}`);
  if (status !== 0) throw new ReleaseError(`${program} ${args[0]} failed: ${stderr.trim()}`);
  return stdout;
}
