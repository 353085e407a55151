import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";
import * as z from "zod/mini";
import { writeWholeFile } from "../../components/host/files.ts";
import { messageOf } from "../../components/lib/as-error.ts";
import type { ExampleChangeling } from "../../components/stack/deployment.ts";
import { clearDeadLocks } from "./dead-locks.ts";
import { makeDemoRepo } from "./demo-repo.ts";
import { projectFolder } from "./project.ts";
import { restoreState } from "./restore-state.ts";
import { projectName, type Stack } from "./stack.ts";

/** The folder of everything in the embedded default. `npm stop` removes it. */
export function devFolder(home: string = homedir()): string {
  return join(home, ".changelings", "dev");
}

/** The embedded default, for the CLI and the launcher. Creates nothing. */
export function devStack(home: string = homedir()): Stack {
  const folder = devFolder(home);
  return {
    name: "dev",
    backend: `file://${join(folder, "backend")}`,
    configFile: join(folder, "Pulumi.dev.yaml"),
    passphraseFile: join(folder, "passphrase"),
  };
}

/**
 * Creates the missing parts of the embedded default: file backend, passphrase, stack, a copy of the example fleet and a
 * demo repository. Idempotent: existing parts remain, even after a Ctrl-C in the middle.
 */
export function ensureDevStack(home: string = homedir(), env: NodeJS.ProcessEnv = process.env): Stack {
  const folder = devFolder(home);
  const stack = devStack(home);
  makeFolder(join(folder, "backend"), home);
  once(join(folder, "passphrase"), () => `${randomBytes(24).toString("base64url")}\n`);
  once(join(folder, "fleet.toml"), () => exampleFleet());
  makeDemoRepo(join(folder, "demo-repo"));
  repairBackend(home);
  if (!existsSync(join(folder, "stack-made"))) {
    initStack(folder, stack, env);
    // `stack init` wrote the salt to this file. The stack's settings are appended.
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const salt = readFileSync(join(folder, "Pulumi.dev.yaml"), "utf8").split("\nconfig:")[0]?.trimEnd() ?? "";
    const settings = {
      "changelings:config": "~/.changelings/dev/fleet.toml",
      "changelings:repo": "~/.changelings/dev/demo-repo",
      "changelings:timezone": zone,
    };
    const lines = Object.entries(settings).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`);
    writeWholeFile(join(folder, "Pulumi.dev.yaml"), `${salt}\nconfig:\n${lines.join("\n")}\n`, { mode: 0o600 });
    writeFileSync(join(folder, "stack-made"), "");
  }
  return stack;
}

function makeFolder(folder: string, home: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Error(
      `${folder} can't be created: ${writeProblem(home) ?? messageOf(error)}\nset HOME to a folder that you may write to`,
    );
  }
}

/** Why nothing can be created in a folder. On a read-only disk, Node reports that the new folder does not exist. */
function writeProblem(folder: string): string | undefined {
  try {
    accessSync(folder, constants.W_OK);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Repairs what an update that was killed, or a full disk, has left in the embedded default's backend. */
export function repairBackend(home: string = homedir()): void {
  const backendFolder = join(devFolder(home), "backend");
  clearDeadLocks(backendFolder);
  restoreState({ backendFolder, project: projectName, name: devStack(home).name });
}

/** The changelings of the example fleet, by name. */
export function exampleChangelings(): ReadonlyMap<string, ExampleChangeling> {
  const { changelings } = exampleForm.parse(parse(exampleFleet()));
  return new Map(
    Object.entries(changelings).map(([name, { kind, agent_type: agentType }]) => [name, { kind, agentType }]),
  );
}

const exampleForm = z.object({
  changelings: z.record(z.string(), z.object({ kind: z.optional(z.string()), agent_type: z.optional(z.string()) })),
});

/** The fleet that \`npm start\` copies. */
export function exampleFleet(): string {
  const text = readFileSync(join(projectFolder, "changelings", "example.toml"), "utf8");
  return text.replace(/^#:schema \.\/schema\.json/, `#:schema ${join(projectFolder, "changelings", "schema.json")}`);
}

/**
 * `pulumi stack init` takes no --config-file and writes its salt beside Pulumi.yaml. So it runs in a folder of its own
 * with a Pulumi.yaml of the same project, and the checkout stays clean.
 */
function initStack(folder: string, stack: Stack, env: NodeJS.ProcessEnv): void {
  writeFileSync(join(folder, "Pulumi.yaml"), `name: ${projectName}\nruntime: nodejs\n`);
  const stackEnv = {
    ...env,
    PULUMI_BACKEND_URL: stack.backend,
    PULUMI_CONFIG_PASSPHRASE: undefined,
    PULUMI_CONFIG_PASSPHRASE_FILE: join(folder, "passphrase"),
  };
  const select = ["stack", "select", "--create", "--stack", stack.name, "--non-interactive"];
  const made = spawnSync("pulumi", select, { cwd: folder, env: stackEnv, encoding: "utf8" });
  if (made.status !== 0) throw new Error(`the stack could not be created: ${made.stderr || made.error?.message}`);
}

function once(path: string, content: () => string): void {
  if (!existsSync(path)) writeWholeFile(path, content(), { mode: 0o600 });
}
