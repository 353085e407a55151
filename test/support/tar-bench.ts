import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import { projectFolder } from "../../scripts/stack/project.ts";
import { type Ended, Repository } from "./repository.ts";

const script = join(projectFolder, "components/source/make_tar_of_repo.sh");
export const past = { author: "Ada", at: "2026-01-02T03:04:05+06:00" };
export const origin = "https://example.com/me/app.git";

/** A folder for tarballs, with a temporary folder for the script. Removed by `using`. */
export class TarBench implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "make-tar-"));
  readonly temporary = join(this.folder, "tmp");
  #count = 0;

  constructor() {
    mkdirSync(this.temporary);
  }

  async run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const all = {
      PATH: process.env["PATH"],
      HOME: this.folder,
      TMPDIR: this.temporary,
      GIT_CONFIG_GLOBAL: "/dev/null",
    };
    try {
      const options = {
        cwd: this.folder,
        env: { ...all, GIT_CONFIG_NOSYSTEM: "1", ...env },
        encoding: "utf8",
      } as const;
      return { code: 0, ...(await promisify(execFile)(script, args, options)) };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, stdout, stderr };
    }
  }

  /** Creates a tarball under a new name. @returns its path */
  async tarball(repo: string, commit: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const out = join(this.folder, `${this.#count++}.tar.gz`);
    const { code, stdout, stderr } = await this.run([repo, commit, out], env);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
    return out;
  }

  /** @returns the repository in a tarball */
  unpacked(tarball: string): Repository {
    const repository = new Repository();
    rmSync(join(repository.folder, ".git"), { recursive: true });
    const { code, stderr } = repository.run("tar", ["-xzf", tarball]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return repository;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Hashes a file's content. */
export function digest(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** A repository with one commit of everything that copying easily loses. */
export function oddRepository(): Repository {
  const repository = new Repository();
  repository.write({
    "plain.txt": "plain\n",
    "run.sh": "#!/bin/sh\n",
    "deep/er/file": Buffer.from([0, 255, 10, 13]),
    "left-out.txt": "of archives",
    "subst.txt": "$Format:%H$ $Id$\n",
    "with\nnewline": "1",
    "with 'quotes\" and \\": "2",
    "grüße/日本.txt": "3",
    [`${"long/".repeat(40)}name`]: "4",
    "-option": "5",
    ".gitattributes": "left-out.txt export-ignore\nsubst.txt export-subst\n*.bin filter=lfs\nunix.txt text eol=lf\n",
    "pointer.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    ".gitignore": "ignored\n",
    "unix.txt": "a\nb\n",
    empty: "",
  });
  chmodSync(join(repository.folder, "run.sh"), 0o755);
  symlinkSync("deep/er/file", join(repository.folder, "link"));
  symlinkSync("/nowhere", join(repository.folder, "dangling"));
  repository.git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},submodule`);
  mkdirSync(join(repository.folder, "submodule"));
  repository.commit({}, past);
  repository.git("remote", "add", "origin", origin);
  return repository;
}
