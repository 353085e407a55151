// @ts-check
import { spawn } from "node:child_process";
import { descendantsOf, signalQuietly } from "./processes.mjs";

/**
 * @typedef {{ code: number | null, signal: NodeJS.Signals | null }} End
 */

/**
 * Runs a program in our place, with our terminal. The program handles the first signal. A second one ends it and all
 * its descendants.
 * @param {readonly [string, ...string[]]} argv
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<End>}
 */
export function passThrough([program, ...args], env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit", env });
    const stopPassing = passSignals(child);
    child.once("error", (error) => {
      stopPassing();
      reject(error);
    });
    child.once("exit", (code, signal) => {
      stopPassing();
      resolve({ code, signal });
    });
  });
}

/**
 * Forwards signals to a child process until the returned function is called.
 * @param {import("node:child_process").ChildProcess} child
 */
export function passSignals(child) {
  // A terminal sends Ctrl-C to the program as well as to us. Forwarding it would look like a second one.
  const hasTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  let received = 0;
  /** @param {NodeJS.Signals} signal */
  const pass = (signal) => {
    received += 1;
    if (received > 1) stopTree(child);
    else if (signal !== "SIGINT" || !hasTerminal) child.kill(signal);
  };
  const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
  for (const signal of signals) process.on(signal, pass);
  return () => {
    for (const signal of signals) process.off(signal, pass);
  };
}

/** @param {import("node:child_process").ChildProcess} child */
function stopTree({ pid }) {
  if (pid === undefined) return;
  for (const one of [...descendantsOf(pid), pid]) signalQuietly(one, "SIGKILL");
}

/** Ends this process the way its program ended. @param {End} end */
export function endLike({ code, signal }) {
  if (signal !== null) process.kill(process.pid, signal);
  else process.exitCode = code ?? 1;
}
