import { rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { takeLock } from "../host/lock.ts";
import { masked } from "../lib/masking.ts";
import { notStarted, type ProgramEnd, runProgram, timedOut } from "../lib/process.ts";
import { printNote } from "../lib/terminal.ts";
import { plainLines } from "../lib/text.ts";
import { buildSteps } from "./build-steps.ts";
import { modalEnvironment } from "./environment.ts";
import { ModalError, unreachableRemedy, wrongTokenRemedy } from "./modal-error.ts";
import { noTokenRemedy } from "./token.ts";
import type { BuildOptions, DeployOptions, Modal, ModalOptions } from "./types.ts";

const scriptSeconds = 30;
const transferSeconds = 600;
const deploySeconds = 1800;
/** How many lines of a failed build its error shows. */
const tailLines = 20;
/** Changes that take more than one API call, made by the `modal` command on PATH. */
export type ModalCli = Pick<Modal, "runInSandbox" | "deploy" | "build" | "download">;

interface RunOptions {
  readonly seconds: number;
  readonly variables?: Readonly<Record<string, string>>;
  readonly onOutput?: (text: string) => void;
  /** How many of its last lines an error shows. */
  readonly tail?: number;
}

/** @param reads called first: the SDK reports an unreachable Modal in seconds, the command in three to five minutes */
export function modalCli({ token, env }: ModalOptions, reads: Pick<Modal, "environments">): ModalCli {
  async function run(what: string, args: readonly string[], options: RunOptions): Promise<string> {
    if (token === undefined) throw new ModalError("no_token", "no Modal token is set", noTokenRemedy);
    await reads.environments();
    const { seconds } = options;
    const end = await runProgram("modal", args, {
      env: {
        ...modalEnvironment(env),
        ...options.variables,
        MODAL_TOKEN_ID: token.id,
        MODAL_TOKEN_SECRET: token.secret,
        // Keeps one message on one line, whatever the terminal's width.
        COLUMNS: "1000",
        NO_COLOR: "1",
        PYTHONUNBUFFERED: "1",
        // No bytecode next to our program, which may be in node_modules.
        PYTHONDONTWRITEBYTECODE: "1",
      },
      timeoutSeconds: seconds,
      onOutput: options.onOutput,
    });
    if (end.code === 0) return end.stdout;
    throw failure(what, end, { seconds, secrets: [token.secret], tail: options.tail ?? 3 });
  }

  return {
    async runInSandbox(id, script) {
      // Base64 contains no character that the command, which splits it into words, or a shell would interpret.
      const packed = Buffer.from(script).toString("base64");
      const args = ["shell", "--no-pty", "--cmd", `sh -c "echo ${packed} | base64 -d | sh"`, "--", id];
      return await run(`reaching the sandbox ${id}`, args, { seconds: scriptSeconds });
    },
    async deploy(appFile, { name, environment, tag, variables }: DeployOptions) {
      const args = ["deploy", "--env", environment, "--name", name, "--tag", tag, "--", appFile];
      const onOutput = printedSteps();
      await run(`deploying ${name}`, args, { seconds: deploySeconds, variables, onOutput, tail: tailLines });
    },
    async build(buildFile, { what, environment, variables }: BuildOptions) {
      const args = ["run", "--env", environment, "--", buildFile];
      await run(what, args, { seconds: deploySeconds, variables, onOutput: printedSteps(), tail: tailLines });
    },
    async download(volume, environment, path, folder) {
      const args = ["volume", "get", "--env", environment, "--force", "--", volume, path, folder];
      await run(`fetching ${path} from the volume ${volume}`, args, { seconds: transferSeconds });
    },
  };
}

function printedSteps(): (text: string) => void {
  return byLine(buildSteps((line) => printNote(`${line}\n`), claimBuild));
}

/** @returns true for one process of this user at a time, until it ends */
function claimBuild(image: string): boolean {
  const file = join(tmpdir(), `changelings-builds-${userInfo().uid}`, image);
  try {
    if (!takeLock(file)) return false;
    process.once("exit", () => rmSync(file, { force: true }));
    return true;
  } catch {
    // Printing the lines twice is better than not at all.
    return true;
  }
}

/** Converts terminal output to plain lines. */
function byLine(write: (line: string) => void): (text: string) => void {
  let rest = "";
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of plainLines(lines.join("\n"))) write(line);
  };
}

function failure(
  what: string,
  { code, stdout, stderr }: ProgramEnd,
  { seconds, secrets, tail }: { seconds: number; secrets: readonly string[]; tail: number },
): ModalError {
  if (code === notStarted) {
    const remedy = "install it with: npm run setup";
    return new ModalError("other", `${what} failed: the modal command can't be started`, remedy);
  }
  const [log, words] = [plainLines(masked(stdout, secrets)), plainLines(masked(stderr, secrets))];
  // A build's log is on stdout. It does not help if something other than the build failed.
  const hasReason = words.length > 0 && !words.some((line) => /Image build/.test(line));
  const lines = (hasReason ? words : [...log, ...words]).slice(-tail);
  for (const { kind, pattern, remedy } of unavailable) {
    const line = words.findLast((each) => pattern.test(each));
    if (line !== undefined) return new ModalError(kind, `${what} failed: ${line}`, remedy);
  }
  const text = lines.length > 1 ? `\n${lines.join("\n")}` : ` ${lines[0] ?? `exit status ${code}`}`;
  if (code === timedOut) return new ModalError("unreachable", `${what} did not finish within ${seconds} s:${text}`);
  return new ModalError(/not found|No App with name/i.test(text) ? "not_found" : "other", `${what} failed:${text}`);
}

/** The client's errors if Modal is not reachable, or not with this token. The first match counts. */
const unavailable = [
  { kind: "no_token", pattern: /Token missing/, remedy: noTokenRemedy },
  {
    kind: "wrong_token",
    pattern: /Token validation failed|token.* (invalid|expired|revoked)|Unauthenticated/i,
    remedy: wrongTokenRemedy,
  },
  {
    kind: "unreachable",
    pattern: /Could not connect|Connect call failed|Connection (lost|refused|reset)|Deadline exceeded|UNAVAILABLE/i,
    remedy: unreachableRemedy,
  },
] as const;
