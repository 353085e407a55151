import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { type InstallationPaths, installationPaths } from "../../components/host/installation-paths.ts";
import { writeSecrets } from "../../components/secrets/installed.ts";
import { readRecord } from "../../components/web/agent/record.ts";
import { endTmuxServer, hermeticEnvironment } from "../engine/test-stack.ts";
import { filesHolding } from "../support/files-holding.ts";
import { WebAgentRepo } from "../support/web-agent-repo.ts";

const script = fileURLToPath(new URL("../../scripts/command.ts", import.meta.url));
const installation = "0123456789ab";
const result = z.object({ agentId: z.string(), servers: z.record(z.string(), z.string()) });

/** A home with nothing in it, and the source of an agent. */
class Lab {
  readonly home = mkdtempSync(join(tmpdir(), "web-agent-"));
  readonly env: NodeJS.ProcessEnv = { ...hermeticEnvironment(this.home), MNGR__PROVIDERS__MODAL__IS_ENABLED: "false" };
  readonly paths: InstallationPaths = installationPaths(installation, this.home);
  readonly source = new WebAgentRepo();

  start(verb: "apply" | "remove", more: Record<string, string> = {}) {
    const declared = {
      ...{ NAME: "elena", INSTALLATION: installation, PROVIDER: "local", ENABLED: "yes", BRANCH: "main" },
      ...{ SOURCE: this.source.folder, COMMIT: this.source.git("rev-parse", "HEAD") },
      ...{ DESTROY_DATA: "no", MEMORY_IN_GIT: "no", START_TIMEOUT_SECONDS: "60" },
    };
    const env = { ...this.env, ...declared, ...more };
    const child = spawn(process.execPath, [script, "web-agent", verb], {
      cwd: this.home,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output.stderr += text;
    });
    const ended = new Promise<typeof output & { code: number | null }>((resolve, reject) => {
      child.once("error", reject);
      // What it started may hold its output longer than it lives.
      child.once("exit", (code) => setImmediate(() => resolve({ code, ...output })));
    });
    return { child, ended };
  }

  async applied(more?: Record<string, string>) {
    const { code, stdout, stderr } = await this.start("apply", more).ended;
    if (code !== 0) throw new Error(stderr);
    return result.parse(JSON.parse(stdout));
  }

  /** Kills it when the condition holds. */
  async killedWhen(condition: () => boolean): Promise<void> {
    const { child, ended } = this.start("apply");
    const isOver = ended.then(() => true);
    while (!condition()) {
      if (await Promise.race([isOver, sleep(20, false)])) throw new Error("it ended before it was killed");
    }
    child.kill("SIGKILL");
    await ended;
  }

  record() {
    const record = readRecord(this.paths, "elena");
    if (record === undefined) throw new Error("there is no record");
    return record;
  }

  agents() {
    const listed = this.mngr("list", "--provider", "local", "--format", "json", "--headless");
    return z
      .object({ agents: z.array(z.object({ id: z.string(), name: z.string(), state: z.string() })) })
      .parse(JSON.parse(listed)).agents;
  }

  mngr(...args: string[]): string {
    return execFileSync("mngr", args, { cwd: this.source.folder, env: this.env, encoding: "utf8", stdio: "pipe" });
  }

  remove(): void {
    endTmuxServer(this.env);
    this.source[Symbol.dispose]();
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }
}

const page = async (servers: Record<string, string>, path = "") => (await fetch(new URL(path, servers["web"]))).text();

describe("the secrets of a web agent", () => {
  const [first, second] = ["hush-4f1d9c-do-not-tell", "hush-rotated-0b7e21"];
  const secrets = { SECRETS: "MY_TOKEN" };
  let lab: Lab;
  beforeAll(() => {
    lab = new Lab();
  });
  afterAll(() => lab.remove());

  it("reach it, and are in no file that others can read, no output and no process list", async () => {
    writeSecrets(lab.paths, "elena", { MY_TOKEN: first, UNDECLARED: "other" });
    const running = lab.start("apply", secrets);
    let listed = "";
    const watch = setInterval(() => {
      listed += execFileSync("ps", ["-ewwo", "args="], { encoding: "utf8" });
    }, 300);
    const { code, stdout, stderr } = await running.ended;
    clearInterval(watch);
    expect(code, stderr).toBe(0);
    const { agentId, servers } = result.parse(JSON.parse(stdout));
    const environment = JSON.parse(await page(servers, "env"));
    expect(environment).toMatchObject({ MY_TOKEN: first });
    expect(environment).not.toHaveProperty("UNDECLARED");
    expect(listed).toContain("mngr create elena@localhost.local");
    expect(listed + stdout + stderr).not.toContain(first);
    const holding = filesHolding(first, lab.home);
    expect(holding).toEqual([join(lab.paths.secrets, "elena.json"), join(lab.home, ".mngr", "agents", agentId, "env")]);
    for (const path of holding) expect(statSync(path).mode & 0o777, path).toBe(0o600);
  });

  it("reach it again after a rotation, and are masked in the log of an error", async () => {
    const before = lab.record();
    writeSecrets(lab.paths, "elena", { MY_TOKEN: second });
    const { servers } = await lab.applied(secrets);
    expect(JSON.parse(await page(servers, "env"))).toMatchObject({ MY_TOKEN: second });
    expect(lab.record().agentId).toBe(before.agentId);
    lab.source.commitAll("Tells", {
      "serve.py": "import os\nprint('x' * 190 + os.environ['MY_TOKEN'])\nraise SystemExit(1)\n",
    });
    const { code, stderr } = await lab.start("apply", secrets).ended;
    expect(code).toBe(1);
    expect(stderr).toContain("elena did not start: its agent ended (DONE); the previous version runs again");
    expect(stderr).toMatch(/x{190}\*\*\*/);
    expect(stderr.replaceAll("\n", "")).not.toContain(second);
  });
});

describe("a web agent whose creation is killed", () => {
  let lab: Lab;
  beforeAll(() => {
    lab = new Lab();
  });
  afterAll(() => lab.remove());

  it("is adopted as it is: one agent, with its first id", async () => {
    await lab.killedWhen(() => existsSync(join(lab.home, ".mngr", "agents")));
    const { agentId } = lab.record();
    const { servers } = await lab.applied();
    expect(await page(servers)).toBe("first\n");
    expect(lab.agents()).toEqual([{ id: agentId, name: "elena", state: "WAITING" }]);
  });

  it("rolls back everything that was merged since it last ran", async () => {
    const good = lab.source.git("rev-parse", "HEAD");
    lab.source.commitAll("Broken", { "serve.py": "raise SystemExit(3)\n", "page.txt": "second\n" });
    const broken = lab.source.git("rev-parse", "HEAD");
    await lab.killedWhen(() => lab.record().merged !== undefined);
    expect(lab.record().merged).toEqual({ before: good, after: broken });
    const { code, stderr } = await lab.start("apply").ended;
    expect(code, stderr).toBe(1);
    expect(stderr).toContain("the previous version runs again");
    expect(readFileSync(join(lab.record().repo, "page.txt"), "utf8")).toBe("first\n");
    expect(lab.record().merged).toBeUndefined();
    expect(lab.agents()).toMatchObject([{ name: "elena", state: "WAITING" }]);
  });

  it("keeps everything when mngr can't destroy it", async () => {
    const bin = mkdtempSync(join(lab.home, "bin-"));
    writeFileSync(join(bin, "mngr"), "#!/bin/sh\necho 'Error: not today' >&2\nexit 1\n", { mode: 0o755 });
    const before = lab.record();
    const { code, stderr } = await lab.start("remove", { PATH: `${bin}:${lab.env["PATH"]}`, DESTROY_DATA: "yes" })
      .ended;
    expect(code).toBe(1);
    expect(stderr).toContain(`mngr destroy ${before.agentId} failed (exit status 1): not today`);
    expect([lab.record(), existsSync(before.repo)]).toEqual([before, true]);
  });
});

it("leaves another agent with the same name unchanged", async () => {
  const lab = new Lab();
  try {
    lab.mngr("create", "elena", "--type", "command", "--transfer", "none", "--no-connect", "--", "sleep", "600");
    const before = lab.agents();
    const { code, stderr } = await lab.start("apply").ended;
    expect(code).toBe(1);
    expect(stderr).toContain(
      "mngr already has another agent named elena; rename that agent (mngr rename elena NEW_NAME), or the changeling",
    );
    expect(lab.agents()).toEqual(before);
  } finally {
    lab.remove();
  }
});
