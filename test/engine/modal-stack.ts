import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";
import { projectFolder } from "../../scripts/stack/project.ts";
import type { Finished } from "../../scripts/stack/stack.ts";
import { type GitServer, startGitServer } from "../support/git-server.ts";
import { type Emulator, type EmulatorOptions, startEmulator } from "../support/modal-emulator.ts";
import { Repository } from "../support/repository.ts";
import { makeTestStack, type TestStack } from "./test-stack.ts";

/** A test stack with its own emulator of Modal, and a git server that the sandboxes can reach. */
export interface ModalStack extends TestStack {
  readonly emulator: Emulator;
  readonly git: GitServer;
  /** Where its changelings clone from: the repository `app`, which has a README.md. */
  readonly repo: string;
  /** The same repository's folder. */
  readonly bare: string;
  /** Git in the repository on the server. */
  inRepo(...args: string[]): string;
  /** Writes the fleet file: changelings on Modal that work on `repo`, without secrets, for two minutes at most. */
  declareOnModal(...lines: string[]): void;
  /** `changeling ARGS` on this stack. */
  changeling(args: readonly string[]): Promise<Finished>;
  /** Waits until no sandbox runs. The changeling's runs, newest first, as `changeling runs --json` prints them. */
  endedRuns(name: string): Promise<{ branch?: string | undefined; outcome?: string | undefined }[]>;
  /** Waits for the end of a run's sandbox. */
  ended(runId: string): Promise<void>;
  /** Another machine: it has the token, the checkout and the backend of this one, and nothing else. */
  otherMachine(): { readonly home: string; readonly env: NodeJS.ProcessEnv };
  /** The name of the Modal environment that the stack is deployed to: that of mngr in the stack's home. */
  environment(): string;
}

/** @param env further environment variables of its programs */
export async function makeModalStack(
  env: NodeJS.ProcessEnv = {},
  options: Pick<EmulatorOptions, "secretOverwrite"> = {},
): Promise<ModalStack> {
  const git = await startGitServer();
  const emulator = await startEmulator({ ...options, sandboxReaches: [git.port] });
  const bare = seed(git);
  const test = makeTestStack({ ...emulator.env, ...env });
  // Not spawnSync: the git server, which agents clone from, is in this very process.
  const changeling = async (args: readonly string[]) => {
    const script = join(projectFolder, "scripts", "changeling", "changeling.ts");
    const child = spawn(process.execPath, [script, ...args], { env: test.env, stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close") as Promise<[number | null]>,
    ]);
    return { code: code ?? 1, stdout, stderr };
  };
  return {
    ...test,
    emulator,
    git,
    repo: git.url("app"),
    bare,
    inRepo: (...args) => execFileSync("git", ["-C", bare, ...args], { encoding: "utf8" }).trim(),
    declareOnModal: (...lines) =>
      test.declare(
        [
          `[defaults]\nprovider = "modal"\nrepo = "${git.url("app")}"\nsecrets = []\ntimezone = "UTC"\ntimeout_seconds = 120`,
          ...lines,
        ].join("\n"),
      ),
    changeling,
    async endedRuns(name) {
      await untilEnded(emulator);
      const { code, stdout, stderr } = await changeling(["runs", name, "--json"]);
      if (code !== 0) throw new Error(`changeling runs failed: ${stderr}`);
      return z
        .array(z.looseObject({ branch: z.optional(z.string()), outcome: z.optional(z.string()) }))
        .parse(JSON.parse(stdout));
    },
    ended: (runId) => untilEnded(emulator, runId),
    otherMachine() {
      const home = join(test.home, "other-machine");
      mkdirSync(join(home, ".changelings"), { recursive: true });
      // The backend, the stack's settings and the fleet file.
      symlinkSync(join(test.home, ".changelings", "dev"), join(home, ".changelings", "dev"));
      return { home, env: { HOME: home, MNGR_HOST_DIR: join(home, ".mngr") } };
    },
    environment() {
      const profile = /^profile *= *"(.+)"$/m.exec(readFileSync(join(test.home, ".mngr", "config.toml"), "utf8"))?.[1];
      return `mngr-${readFileSync(join(test.home, ".mngr", "profiles", profile ?? "", "user_id"), "utf8").trim()}`;
    },
    async remove(options) {
      await test.remove(options).finally(async () => {
        await emulator.stop();
        await git.stop();
      });
      if (existsSync(test.home)) throw new Error(`${test.home} is left`);
    },
  };
}

/** Agents push their work, and end their sandboxes, by themselves. @param runId undefined: all */
async function untilEnded({ control }: Emulator, runId?: string): Promise<void> {
  for (let attempt = 0; attempt < 240; attempt += 1) {
    const sandboxes = (await control.state()).sandboxes.filter(
      ({ tags }) => runId === undefined || tags["mngr_host_name"] === runId,
    );
    if (sandboxes.every(({ status }) => status !== "RUNNING")) return;
    await sleep(500);
  }
  throw new Error("a sandbox still runs after two minutes");
}

function seed(git: GitServer): string {
  using work = new Repository();
  work.commit({ "README.md": "# app\n" }, { author: "Me", at: "2026-01-01T00:00:00Z" });
  return git.create("app", work.folder);
}
