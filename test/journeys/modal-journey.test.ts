import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noTokenRemedy } from "../../components/modal/token.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { type GitServer, startGitServer } from "../support/git-server.ts";
import { type Emulator, startEmulator } from "../support/modal-emulator.ts";
import { Repository } from "../support/repository.ts";

/** `npm run test:modal` as a person runs it, but for the account: here it is an emulator's, whose clock is the real one. */
describe("the journey on a Modal account", { timeout: 600_000 }, () => {
  let git: GitServer;
  let emulator: Emulator;
  beforeAll(async () => {
    git = await startGitServer();
    emulator = await startEmulator({ sandboxReaches: [git.port], live: true });
    using repository = new Repository();
    repository.commit({ "README.md": "# app\n" }, { author: "Me", at: "2026-01-01T00:00:00Z" });
    git.create("app", repository.folder);
  });
  afterAll(async () => {
    await emulator?.stop();
    await git?.stop();
  });

  const run = (env: NodeJS.ProcessEnv) =>
    new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
      const script = join(projectFolder, "scripts", "dev", "test-modal.ts");
      const child = execFile(process.execPath, [script], { env: { ...process.env, ...env } }, (_, stdout, stderr) =>
        resolve({ code: child.exitCode, stdout, stderr }),
      );
    });
  const onEmulator = () => ({ ...emulator.env, CHANGELINGS_TEST_REPO: git.url("app") });

  it("passes, and leaves nothing", async () => {
    const { code, stdout, stderr } = await run(onEmulator());
    expect(code, stdout + stderr).toBe(0);
    expect(
      stdout
        .replace(/mngr-[0-9a-f]{32}|changelings-sandbox-test-[0-9a-f]{8}/g, "ENVIRONMENT")
        .replace(/\d+ s$/gm, "N s"),
    ).toBe(
      `everything is in the Modal environment ENVIRONMENT
deployed and verified, and the next preview shows no change: N s
fired by its schedule, and its agent finished: N s
disabled: N s
run by hand, with its secret; its failure and its output are reported: N s
repaired after somebody stopped it: N s
destroyed: N s
the environment ENVIRONMENT is removed
sandboxes are in the Modal environment ENVIRONMENT
the image is built: N s
the image's own check is left out: an emulator installs nothing
the stub answers, with the person's identity and the declared branch: N s
a snapshot is taken, and the sandbox ends: N s
another sandbox has the repository's memory, but not the first one's files: N s
the first one continues from its snapshot: N s
the environment ENVIRONMENT is removed
`,
    );
    await expectNothing();
  });

  it("leaves nothing when it fails either", async () => {
    const message = "the workspace has too many apps";
    await emulator.control.setFaults([{ method: "AppPublish", status: "RESOURCE_EXHAUSTED", message, times: 99 }]);
    const { code, stdout, stderr } = await run(onEmulator());
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(stdout).toMatch(/^the environment mngr-[0-9a-f]{32} is removed$/m);
    await expectNothing();
  });

  it("says what it needs", async () => {
    const none = {
      MODAL_TOKEN_ID: "",
      MODAL_TOKEN_SECRET: "",
      MODAL_CONFIG_PATH: "/dev/null",
      CHANGELINGS_TEST_REPO: "",
    };
    const needsToken = `error: this needs a Modal token, and runs on its account; ${noTokenRemedy}\n`;
    expect(await run(none)).toEqual({ code: 2, stdout: "", stderr: needsToken });
    const { code, stderr } = await run({ ...none, ...emulator.env });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: no repository is named .*; set CHANGELINGS_TEST_REPO to /);
  });

  async function expectNothing(): Promise<void> {
    const state = await emulator.control.state();
    expect(state.environments).toEqual(["main"]);
    expect(state.volumes).toEqual([]);
    expect(state.secrets.filter(({ name }) => name)).toEqual([]);
    expect(state.sandboxes.filter(({ status }) => status === "RUNNING")).toEqual([]);
  }
});
