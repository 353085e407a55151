import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isatty } from "node:tty";
import type { ProgramEnd, ProgramOptions } from "../../components/lib/process.ts";

/** How a call goes wrong: it fails before it does anything, or once it has done everything. */
export interface Fault {
  /** The number of the call, from 0, or how its arguments begin. */
  readonly call: number | string;
  readonly when: "before" | "after";
}

export interface Call {
  readonly argv: readonly string[];
  readonly stdin: string;
  /** The names of the variables that it was given. */
  readonly variables: readonly string[];
}

/**
 * A stand-in for a CLI that talks to a platform: a program of its own, which keeps the platform's state in a folder,
 * records every call, and fails where the test says so.
 */
export class FakeCli<State> {
  readonly folder = mkdtempSync(join(tmpdir(), "fake-cli-"));
  readonly env: Record<string, string>;
  readonly #serve: Serve<State>;

  /** @param program the path of a module that calls `runFake` with `serve` */
  constructor(name: string, program: string, state: State, serve: Serve<State>) {
    this.#serve = serve;
    const bin = join(this.folder, "bin");
    mkdirSync(bin);
    const script = `#!/bin/sh\nexec '${process.execPath}' --no-warnings '${program}' '${this.folder}' "$@"\n`;
    writeFileSync(join(bin, name), script, { mode: 0o755 });
    this.env = { PATH: `${bin}:${process.env["PATH"] ?? ""}`, HOME: this.folder };
    this.state = state;
  }

  /** A call in this process, which takes no time, in place of `runProgram`. */
  run(argv: readonly string[], { env, input }: ProgramOptions): ProgramEnd {
    const record = { argv, stdin: input?.toString() ?? "", variables: Object.keys(env) };
    return serveOnce(this.folder, this.#serve, record);
  }

  get state(): State {
    return JSON.parse(readFileSync(join(this.folder, "state.json"), "utf8")) as State;
  }

  set state(state: State) {
    writeFileSync(join(this.folder, "state.json"), JSON.stringify(state));
  }

  /** Applies to calls from now on, counted from 0. */
  failAt(fault: Fault | undefined): void {
    this.forget();
    if (fault === undefined) rmSync(join(this.folder, "fault.json"), { force: true });
    else writeFileSync(join(this.folder, "fault.json"), JSON.stringify(fault));
  }

  /** Oldest first. */
  calls(): Call[] {
    return callsIn(this.folder);
  }

  forget(): void {
    rmSync(join(this.folder, "calls.jsonl"), { force: true });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function callsIn(folder: string): Call[] {
  const path = join(folder, "calls.jsonl");
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Call);
}

/** What the platform refuses, on stderr and with this exit code. */
export class Refused extends Error {
  readonly code: number;
  readonly stdout: string;

  constructor(message: string, code = 1, stdout = "") {
    super(message);
    this.code = code;
    this.stdout = stdout;
  }
}

/** Changes the state as the platform would, and returns what is printed. @throws Refused */
export type Serve<State> = (argv: readonly string[], state: State, stdin: string) => string;

/** The main function of a stand-in. */
export function runFake<State>(serve: Serve<State>): void {
  const [folder = "", ...argv] = process.argv.slice(2);
  // Not process.stdin: reading that property makes the pipe non-blocking, and the read then fails with EAGAIN.
  const stdin = isatty(0) ? "" : readFileSync(0, "utf8");
  const ended = serveOnce(folder, serve, { argv, stdin, variables: Object.keys(process.env) });
  process.stdout.write(ended.stdout);
  process.stderr.write(ended.stderr);
  process.exitCode = ended.code;
}

function serveOnce<State>(folder: string, serve: Serve<State>, record: Call): ProgramEnd {
  const call = callsIn(folder).length;
  const words = record.argv.join(" ");
  appendFileSync(join(folder, "calls.jsonl"), `${JSON.stringify(record)}\n`);
  const faultFile = join(folder, "fault.json");
  const fault = existsSync(faultFile) ? (JSON.parse(readFileSync(faultFile, "utf8")) as Fault) : undefined;
  const isCut = typeof fault?.call === "string" ? words.startsWith(fault.call) : fault?.call === call;
  const cutOff = { code: 1, stdout: "", stderr: "Error: the platform was cut off\n" };
  if (isCut && fault?.when === "before") return cutOff;
  const statePath = join(folder, "state.json");
  const state = JSON.parse(readFileSync(statePath, "utf8")) as State;
  const end = { code: 0, stdout: "", stderr: "" };
  try {
    end.stdout = serve(record.argv, state, record.stdin);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const stderr = error.message === "" ? "" : `Error: ${error.message}\n`;
    Object.assign(end, { code: error.code, stdout: error.stdout, stderr });
  }
  writeFileSync(statePath, JSON.stringify(state));
  return isCut && fault?.when === "after" ? cutOff : end;
}

/** The values of `--name value` and `--name=value`, and what is no option. Options of `flags` have no value. */
export function parseArguments(argv: readonly string[], flags: readonly string[]) {
  const options = new Map<string, string>();
  const words: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? "";
    const [name = "", value] = argument.split(/=(.*)/s);
    if (!argument.startsWith("-")) words.push(argument);
    else if (value !== undefined) options.set(name, value);
    else if (flags.includes(name)) options.set(name, "true");
    else {
      index += 1;
      options.set(name, argv[index] ?? "");
    }
  }
  return { options, words };
}
