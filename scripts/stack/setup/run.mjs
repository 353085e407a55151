// @ts-check
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheFolder } from "./cache.mjs";
import { signalQuietly } from "./processes.mjs";
import { SetupError, say } from "./progress.mjs";

const interruption = new AbortController();

/** Aborted at the first Ctrl-C (or SIGTERM, SIGHUP). Everything that waits must listen to it. @type {AbortSignal} */
export const interrupted = interruption.signal;

/** The process groups of running programs. @type {Set<number>} */
const groups = new Set();

/** Where `run` writes a program's output. @param {string} log */
export function logFile(log) {
  return join(cacheFolder(), "logs", `${log}.log`);
}

/**
 * Runs a program in its own process group, with its output in a log file in the cache.
 * @param {readonly [string, ...string[]]} argv
 * @param {{ log: string, cwd?: string, env?: NodeJS.ProcessEnv, timeoutSeconds?: number, finish?: boolean }} options
 *   `log` names the log file; `finish` lets the program end when setup is interrupted
 * @throws {SetupError} if it can't be started, fails, or exceeds `timeoutSeconds`
 * @returns {Promise<void>}
 */
export async function run(argv, { log, cwd, env = process.env, timeoutSeconds, finish = false }) {
  interrupted.throwIfAborted();
  const file = logFile(log);
  mkdirSync(dirname(file), { recursive: true });
  const output = openSync(file, "w");
  writeSync(output, `${argv.join(" ")}\n`);
  const [program, ...args] = argv;
  const child = spawn(program, args, { cwd, env, detached: true, stdio: ["ignore", output, output] });
  closeSync(output);
  const group = child.pid;
  if (group !== undefined && !finish) groups.add(group);
  const stopGuarding = group === undefined || finish ? () => {} : guard(group);
  let timedOut = false;
  const timer = setTimeout(
    () => {
      timedOut = true;
      if (group !== undefined) stopGroup(group);
    },
    timeoutSeconds === undefined ? 2 ** 31 - 1 : timeoutSeconds * 1000,
  );
  const failure = await new Promise((resolve) => {
    child.once("error", (error) => resolve(`can't be started (${error.message})`));
    child.once("exit", (code, signal) =>
      resolve(code === 0 ? null : signal ? `ended by ${signal}` : `exit code ${code}`),
    );
  });
  clearTimeout(timer);
  stopGuarding();
  if (group !== undefined) groups.delete(group);
  interrupted.throwIfAborted();
  const name = argv.slice(0, 3).join(" ");
  if (timedOut) throw new SetupError(`\`${name} …\` took longer than ${timeoutSeconds} seconds`, { log: file });
  if (failure !== null) throw new SetupError(`\`${name} …\`: ${failure}`, { log: file });
}

/**
 * Ends a process group when this process ends, however that happens: killed, or as a test's worker that is stopped
 * without a word. Our end closes the pipe that the guard reads from.
 * @param {number} group
 * @returns {() => void} call it when the program has ended
 */
function guard(group) {
  const script = 'read -r over; [ -n "$over" ] || kill -TERM "-$1"';
  const child = spawn("/bin/sh", ["-c", script, "sh", String(group)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  const { stdin } = child;
  // Without a guard, the program only outlives a process that was killed.
  child.on("error", () => {});
  stdin.on("error", () => {});
  child.unref();
  return () => stdin.end("over\n");
}

/** @param {number} group */
function stopGroup(group) {
  signalQuietly(-group, "SIGTERM");
  setTimeout(() => signalQuietly(-group, "SIGKILL"), 2_000).unref();
}

/**
 * Runs the main function of a setup program. An error is shown with its log tail and its remedy. Ctrl-C stops what is
 * running, lets the steps clean up, and ends with 130.
 * @param {() => Promise<void>} main
 * @returns {Promise<boolean>} whether it succeeded
 */
export async function runSetup(main) {
  const interrupt = () => {
    interruption.abort();
    for (const group of groups) stopGroup(group);
  };
  const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
  for (const signal of signals) process.on(signal, interrupt);
  try {
    await main();
    return true;
  } catch (error) {
    if (interrupted.aborted) {
      say("Interrupted. What was complete is kept; run the same command to continue.");
      process.exitCode = 130;
      return false;
    }
    const errors = error instanceof AggregateError ? error.errors : [error];
    // Parallel steps report the same full disk.
    const texts = new Set(errors.map((one) => explain(asSetupError(one))));
    say([...texts].join("\n\n"));
    process.exitCode = 1;
    return false;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

/**
 * A full disk or an unwritable folder is the machine's problem. Any other unexpected error is ours.
 * @param {unknown} error
 */
function asSetupError(error) {
  if (error instanceof SetupError) return error;
  const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
  if (!["EACCES", "EPERM", "EROFS", "ENOTDIR", "ENOSPC", "EDQUOT"].includes(code ?? "")) throw error;
  return new SetupError(message, {
    remedy: `Make room there, or name another folder for the cache than ${cacheFolder()} in CHANGELINGS_CACHE.`,
  });
}

/** What npm, uv, Go and apt-get say when they can't reach a server. */
const unreachable =
  /EAI_AGAIN|ENOTFOUND|E(NET|HOST)UNREACH|ECONNREFUSED|ETIMEDOUT|name resolution|no such host|could not resolve|dns error|lookup address|network is unreachable|i\/o timeout|connection refused/i;

/** @param {SetupError} error */
export function explain({ message, log, remedy }) {
  const lines = [`Setup: ${message}`];
  if (log !== undefined) {
    const end = tail(log);
    lines.push(...end.map((line) => `  | ${line}`), `The whole output is in ${log}`);
    if (end.some((line) => unreachable.test(line)))
      lines.push("A server can't be reached: check the network, HTTPS_PROXY, and which registry is set.");
  }
  if (remedy !== undefined) lines.push(remedy);
  return lines.join("\n");
}

/** @param {string} file */
function tail(file) {
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-20);
}
