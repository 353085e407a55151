import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { writeJob } from "../../components/cron/local/installed-files.ts";
import { type AppSpec, tagOf } from "../../components/cron/modal/spec.ts";
import { installationPaths } from "../../components/host/installation-paths.ts";
import { canonicalJson } from "../../components/lib/json.ts";
import { modalClient } from "../../components/modal/client.ts";
import {
  appName,
  environmentName,
  homeVolumeName,
  runsVolumeName,
  secretName,
  stackSecretName,
} from "../../components/modal/names.ts";
import { modalToken } from "../../components/modal/token.ts";
import type { Modal } from "../../components/modal/types.ts";
import type { Check } from "../../components/stack/check.ts";
import { devFolder, devStack, ensureDevStack } from "../../scripts/stack/dev-stack.ts";
import { projectFolder } from "../../scripts/stack/project.ts";
import { installationOf } from "../../scripts/stack/stack.ts";
import type { Emulator } from "./modal-emulator.ts";

const appFile = fileURLToPath(new URL("../fixtures/modal-cli/fire_app.py", import.meta.url));

/** The Modal resources of a stack `dev`, created without Pulumi, git or mngr; and a machine that observes them. */
export class ModalStack {
  readonly stack = "dev";
  readonly userId: string;
  readonly environment: string;
  readonly home: string;
  /** The environment of a machine that has the token and no other state; `bin` in its home is first on PATH. */
  readonly env: NodeJS.ProcessEnv;
  readonly client: Modal;

  constructor(emulator: Emulator, userId: string) {
    this.userId = userId;
    this.environment = environmentName({ prefix: "mngr-", userId });
    this.home = mkdtempSync(join(tmpdir(), "modal-stack-"));
    this.env = {
      PATH: [join(this.home, "bin"), process.env["PATH"]].join(delimiter),
      HOME: this.home,
      LANG: "C.UTF-8",
      MNGR_HOST_DIR: join(this.home, ".mngr"),
      PULUMI_HOME: join(this.home, "pulumi-home"),
      // Where the user is logged in, besides the embedded default's own backend.
      PULUMI_BACKEND_URL: `file://${join(this.home, "backend")}`,
      PULUMI_CONFIG_PASSPHRASE: "test",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      GIT_CONFIG_GLOBAL: "/dev/null",
      ...(process.env["NODE_COMPILE_CACHE"] ? { NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] } : {}),
      ...emulator.env,
    };
    for (const folder of ["backend", "bin"]) mkdirSync(join(this.home, folder));
    this.client = modalClient({ token: modalToken(this.env), env: this.env });
  }

  /** Creates the environment, volumes, the stack's Secret, and its identity. */
  async make(): Promise<void> {
    const { client, stack, environment } = this;
    await client.createEnvironment(environment);
    await Promise.all([
      client.createVolume(homeVolumeName(stack), environment),
      client.createVolume(runsVolumeName(stack), environment, { version: 2 }),
      client.putSecret(stackSecretName(stack), environment, { CHANGELINGS_MODAL_TOKEN_ID: "ak-emulator" }),
    ]);
    const identity = { version: 1, stack, userId: this.userId, prefix: "mngr-", environment };
    await this.write(homeVolumeName(stack), {
      "stack.json": JSON.stringify({ ...identity, gitName: "Me", gitEmail: "me@example.com" }),
    });
  }

  spec(name: string, given: Partial<AppSpec> = {}): AppSpec {
    const { stack, userId, environment } = this;
    return {
      version: 1,
      stack,
      name,
      environment,
      userId,
      prefix: "mngr-",
      schedule: "0 3 * * *",
      timezone: "UTC",
      enabled: true,
      timeoutSeconds: 3600,
      settleSeconds: 60,
      keepRuns: 5,
      repo: "https://example.com/app.git",
      branch: "main",
      image: "clone",
      commit: null,
      snapshotLabel: null,
      agent: {
        type: "todo-ledger",
        mngrType: "command",
        isConversational: false,
        leavesExitStatus: true,
        script: null,
        args: ["true"],
        message: null,
        template: null,
        buildArgs: [],
        settings: [],
        env: {},
      },
      secrets: [],
      secretName: secretName(stack, name),
      stackSecretName: stackSecretName(stack),
      homeVolume: homeVolumeName(stack),
      runsVolume: runsVolumeName(stack),
      appName: appName(stack, name),
      program: "0123456789abcdef",
      ...given,
    };
  }

  /** Deploys apps, and stores their specs in the home volume as a deployment does. */
  async deploy(...specs: readonly AppSpec[]): Promise<void> {
    await Promise.all(specs.map((spec) => this.deployByHand(spec, tagOf(spec))));
    await this.noteDeployed(...specs);
  }

  async noteDeployed(...specs: readonly AppSpec[]): Promise<void> {
    const files = specs.map((spec) => [`apps/${spec.name}.json`, canonicalJson(spec)] as const);
    await this.write(homeVolumeName(this.stack), Object.fromEntries(files));
  }

  async deployByHand(spec: AppSpec, tag: string): Promise<void> {
    const file = join(this.home, `${spec.name}.json`);
    writeFileSync(file, canonicalJson(spec));
    const { appName: name, environment } = spec;
    const args = ["deploy", "--env", environment, "--name", name, "--tag", tag, appFile];
    await promisify(execFile)("modal", args, { env: { ...this.env, CHANGELING_SPEC: file } });
  }

  /** Writes files of a volume, by path. */
  write(volume: string, files: Readonly<Record<string, string>>): Promise<void> {
    return this.client.writeFiles(volume, this.environment, files);
  }

  /** Writes records of a run, as the function and the sandbox do. */
  record(id: string, lines: readonly object[], files: Readonly<Record<string, string>> = {}): Record<string, string> {
    const changeling = id.replace(/-\d{4}(-\d\d){5}$/, "");
    const folder = `${changeling}/${id}`;
    const records = lines.map((line) => {
      const event = "event" in line ? String(line.event) : "";
      return [`${folder}/${event}.json`, JSON.stringify({ changeling, id, ...line })] as const;
    });
    const others = Object.entries(files).map(([file, text]) => [`${folder}/${file}`, text] as const);
    return Object.fromEntries([...records, ...others]);
  }

  /** Creates the Pulumi stack on this machine, with a fleet file, and applies nothing. */
  declare(toml: string): void {
    ensureDevStack(this.home, this.env);
    writeFileSync(join(devFolder(this.home), "fleet.toml"), toml, { mode: 0o600 });
  }

  /** Installs a changeling on this machine itself. */
  installHere(name: string): void {
    const paths = installationPaths(installationOf(devStack(this.home)), this.home);
    const { enabled, schedule, timezone, timeoutSeconds, settleSeconds, keepRuns, branch, agent } = this.spec(name);
    const { type, mngrType, isConversational, args, buildArgs, env } = agent;
    const shared = { name, enabled, schedule, timezone, timeoutSeconds, settleSeconds, keepRuns, branch };
    const own = { type, mngrType, isConversational, args, buildArgs, env };
    writeJob(paths, { ...shared, catchUp: true, overlap: "skip", repo: "/repo", agent: own });
  }

  /** What `changeling doctor` reports for Modal, by name. */
  async diagnosed(...args: string[]): Promise<{ code: number | null; checks: Map<string, Check> }> {
    const { code, stdout } = await this.changeling("doctor", "--json", "--provider", "modal", ...args);
    const checks: Check[] = JSON.parse(stdout);
    return { code, checks: new Map(checks.map((check) => [check.name, check])) };
  }

  /** Runs the `changeling` command on this machine. */
  changeling(...args: string[]): Promise<Ended>;
  changeling(options: CommandOptions, ...args: string[]): Promise<Ended>;
  changeling(first: CommandOptions | string, ...rest: string[]): Promise<Ended> {
    const [{ env, interruptAt }, args] = typeof first === "string" ? [{}, [first, ...rest]] : [first, rest];
    const child = spawn(process.execPath, [join("scripts", "changeling", "changeling.ts"), ...args], {
      cwd: projectFolder,
      env: { ...this.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (interruptAt?.test(stderr) === false && interruptAt.test(stderr + text)) child.kill("SIGINT");
      stderr += text;
    });
    return new Promise((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true, maxRetries: 3 });
  }
}

export interface CommandOptions {
  /** Added to the machine's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** Sends a SIGINT when its stderr matches. */
  readonly interruptAt?: RegExp;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
