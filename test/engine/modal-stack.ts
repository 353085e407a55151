import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type GitServer, startGitServer } from "../support/git-server.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";
import { Repository } from "../support/repository.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

/** A test stack whose Modal is an emulator of its own, with a git server that its sandboxes reach. */
export interface ModalStack extends TestStack {
  readonly emulator: Emulator;
  readonly git: GitServer;
  /** Where its changelings clone from: the repository `app`, which has a README.md. */
  readonly repo: string;
  /** Git in the repository on the server. */
  inRepo(...args: string[]): string;
  /** Name of the Modal environment that the stack stands in: mngr's, of this stack's home. */
  environment(): string;
}

/** @param env what else its programs are given */
export async function makeModalStack(env: NodeJS.ProcessEnv = {}): Promise<ModalStack> {
  const git = await startGitServer();
  const emulator = await startEmulator({ sandboxReaches: [git.port] });
  const bare = seed(git);
  const test = makeTestStack({ ...emulator.env, ...env });
  return {
    ...test,
    emulator,
    git,
    repo: git.url("app"),
    inRepo: (...args) => execFileSync("git", ["-C", bare, ...args], { encoding: "utf8" }).trim(),
    environment() {
      const profile = /^profile *= *"(.+)"$/m.exec(readFileSync(join(test.home, ".mngr", "config.toml"), "utf8"))?.[1];
      return `mngr-${readFileSync(join(test.home, ".mngr", "profiles", profile ?? "", "user_id"), "utf8").trim()}`;
    },
    async remove() {
      await test.remove().finally(async () => {
        await emulator.stop();
        await git.stop();
      });
      if (existsSync(test.home)) throw new Error(`${test.home} is left`);
    },
  };
}

function seed(git: GitServer): string {
  using work = new Repository();
  work.commit({ "README.md": "# app\n" }, { author: "Me", at: "2026-01-01T00:00:00Z" });
  return git.create("app", work.folder);
}
