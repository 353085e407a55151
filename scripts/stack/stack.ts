import { spawn } from "node:child_process";
import { homedir } from "node:os";
import { installations } from "../../components/host/claims.ts";
import { chooseInstallation, unclaimedIds } from "../../components/host/installation.ts";
import {
  canonicalBackend,
  currentBackend,
  fullName,
  identityOf,
  isSameStack,
  projectNameIn,
  type StackIdentity,
} from "../../components/host/stack-identity.ts";
import { projectFolder } from "./project.ts";
import { passSignals } from "./setup/pass-through.mjs";

/** A stack that the CLI works on. */
export interface Stack {
  readonly name: string;
  /** undefined: the backend that the user is logged in to. */
  readonly backend?: string;
  /** undefined: Pulumi's default, `Pulumi.<stack>.yaml` beside Pulumi.yaml. */
  readonly configFile?: string;
  readonly passphraseFile?: string;
}

export const projectName = projectNameIn(projectFolder) ?? "changelings";

/** Its name without organization and project, as the program sees it. */
export function shortNameOf(stack: Stack): string {
  return stack.name.split("/").at(-1) ?? stack.name;
}

export function backendOf(stack: Stack, home: string = homedir()): string {
  return stack.backend ?? currentBackend(process.env, home, projectFolder);
}

export function identityOfStack(stack: Stack, home: string = homedir()): StackIdentity {
  const backend = canonicalBackend(backendOf(stack, home), { home, cwd: projectFolder });
  return identityOf(stack.name, { backend, project: projectName });
}

/**
 * The id of a stack's installation, as far as this machine knows.
 *
 * @throws if stacks of several organizations have that name
 */
export function installationOf(stack: Stack, home: string = homedir()): string {
  const identity = identityOfStack(stack, home);
  const installed = installations(home);
  const claims = installed.flatMap(({ claim }) => (claim !== undefined && isSameStack(claim, identity) ? [claim] : []));
  if (new Set(claims.map(({ organization }) => organization)).size > 1) {
    throw new Error(
      `which stack is meant? Name its organization: --stack ${claims.map(fullName).join(" or --stack ")}`,
    );
  }
  const unclaimed = unclaimedIds(identity, [backendOf(stack, home), currentBackend(process.env, home)]);
  return chooseInstallation(identity, { installed, inState: undefined, unclaimed }).id;
}

/** The commands to suggest for a stack. The launcher knows how the user calls `changeling`. */
export function commandsOn(stack: Stack, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const called = env["CHANGELINGS_CALLED"] || "changeling";
  const isDefault = stack.configFile !== undefined;
  return {
    CHANGELINGS_UP: isDefault ? "npm start" : `npm run pulumi -- up --stack ${stack.name}`,
    CHANGELINGS_CLI: isDefault ? called : `${called} --stack ${stack.name}`,
  };
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the Pulumi CLI on a stack.
 *
 * @param options.capture true: returns its output; false: streams it to the terminal
 * @param options.onStderr sends uncaptured output to stderr, because stdout is for an answer
 * @param options.echo also sends captured output to the terminal
 */
export async function pulumi(
  stack: Stack,
  args: readonly string[],
  options: { capture: boolean; onStderr?: boolean; echo?: boolean; env?: NodeJS.ProcessEnv },
): Promise<Finished> {
  const terminal = options.onStderr ? process.stderr : "inherit";
  const child = spawn("pulumi", [...args, ...stackArguments(stack, args[0])], {
    cwd: projectFolder,
    env: { ...process.env, ...stackEnvironment(stack), ...options.env },
    stdio: ["ignore", options.capture ? "pipe" : terminal, options.capture ? "pipe" : "inherit"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (options.echo) process.stdout.write(text);
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    if (options.echo) process.stderr.write(text);
  });
  const stopPassing = passSignals(child);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", (error) => reject(new Error(`pulumi could not be started: ${error.message}`)));
      child.once("close", (exitCode, signal) => resolve(exitCode ?? (signal === "SIGINT" ? 130 : 1)));
    });
    return { code, stdout, stderr };
  } finally {
    stopPassing();
  }
}

/** Why a captured command failed, in Pulumi's words, without its backend client's preceding warnings. */
export function problemOf({ code, stdout, stderr }: Finished): string {
  const problem = stderr.slice(Math.max(0, stderr.search(/^error: /m))).trim();
  return problem.replace(/^error: /, "") || stdout.trim() || `pulumi ended with ${code}`;
}

/** The commands that read or write a stack's settings. Others reject the option. */
const takesConfigFile = new Set(["config", "preview", "up", "destroy", "refresh"]);

function stackArguments(stack: Stack, command = ""): string[] {
  const settings =
    stack.configFile !== undefined && takesConfigFile.has(command) ? ["--config-file", stack.configFile] : [];
  return ["--stack", stack.name, ...settings];
}

/** Lets Pulumi's language host run index.ts by run-program.ts. The path is relative to the project. */
export const leanProgram = { PULUMI_LANGUAGE_NODEJS_RUN_PATH: "./scripts/stack/run-program.ts" };

/** One changeling's failure must not stop the others (PULUMI_CONTINUE_ON_ERROR). The exit code still reports it. */
export function stackEnvironment(stack: Stack): NodeJS.ProcessEnv {
  return {
    ...leanProgram,
    PULUMI_CONTINUE_ON_ERROR: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    ...commandsOn(stack),
    ...(stack.backend ? { PULUMI_BACKEND_URL: stack.backend } : {}),
    // Pulumi would prefer a passphrase that the user has exported to the file's.
    ...(stack.passphraseFile
      ? { PULUMI_CONFIG_PASSPHRASE: undefined, PULUMI_CONFIG_PASSPHRASE_FILE: stack.passphraseFile }
      : {}),
  };
}
