import { isUtf8 } from "node:buffer";
import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { StatusError } from "../answer.ts";
import { collectAssets } from "./assets.ts";
import { exitText, quote } from "./go-text.ts";
import type { Results, RunInputs } from "./inputs.ts";
import { LineSplitter } from "./line-splitter.ts";
import { closeEnds, type StandardStreams, StreamMaker } from "./standard-streams.ts";
import { commandLine, type Started, startProcess } from "./start-process.ts";

export interface Run {
  command: string;
  inputs: RunInputs;
  /** The last command's results. The new one sees its texts as PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR. */
  previous: Results;
  /** 0 means no limit; fractions of a second are ignored. */
  timeoutSeconds: number;
  /** Called for each line that passes `logging`. The command counts as running until the promise resolves. */
  log: (line: string) => Promise<void>;
}

/** A command's output, in chunks as received. `both` is for errors. */
type Printed = Record<"stdout" | "stderr" | "both", Buffer[]>;

/** How long a process that left the group of a killed command may hold its output open. Milliseconds. */
const drainMilliseconds = 1000;

/** A longer timeout would make Node's timer fire at once. Milliseconds: 24 days. */
const longestTimer = 2 ** 31 - 1;

/** Runs commands, each in its own process group. */
export class CommandRunner {
  private readonly running = new Map<ChildProcess, () => void>();
  private readonly streams = new StreamMaker();
  private canceled = false;

  /** Kills every running command with its whole process group, and starts no others. */
  cancel(): void {
    this.canceled = true;
    for (const kill of this.running.values()) kill();
  }

  /** Cancels and cleans up, before the plugin exits. */
  close(): void {
    this.cancel();
    this.streams.close();
  }

  /** @throws {StatusError} with the official plugin's text, including all output, if the command fails. */
  async run(run: Run): Promise<Results> {
    const printed: Printed = { stdout: [], stderr: [], both: [] };
    try {
      await this.execute(run, printed);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const output = Buffer.concat(printed.both).toString();
      const code = error instanceof StatusError ? error.code : status.UNKNOWN;
      throw new StatusError(code, `${reason}: running ${quote(run.command)}:\n${output}`);
    }
    const { inputs, previous } = run;
    const found = await collectAssets(inputs.dir, inputs.assetPaths, inputs.archivePaths);
    return {
      stdout: toOutput(printed.stdout),
      stderr: toOutput(printed.stderr),
      assets: found.assets ?? previous.assets,
      archive: found.archive ?? previous.archive,
    };
  }

  private async execute(run: Run, printed: Printed): Promise<void> {
    const deadline = performance.now() + Math.trunc(run.timeoutSeconds) * 1000;
    const streams = await this.streams.open(run.inputs.stdin);
    try {
      const { child, ended } = this.start(run, streams);
      const reading = read(run, streams, printed);
      const { promise: killed, resolve: wasKilled } = Promise.withResolvers<void>();
      const kill = () => {
        killGroup(child);
        wasKilled();
      };
      this.running.set(child, kill);
      const left = Math.min(deadline - performance.now(), longestTimer);
      const timer = run.timeoutSeconds === 0 ? undefined : setTimeout(kill, left);
      try {
        const { code, signal } = await ended;
        await Promise.race([reading, killed.then(() => sleep(drainMilliseconds))]);
        const failure = exitText(code, signal);
        if (failure !== undefined) throw new Error(failure);
      } finally {
        clearTimeout(timer);
        this.running.delete(child);
      }
    } finally {
      streams.stdout.destroy();
      streams.stderr.destroy();
    }
  }

  private start(run: Run, streams: StandardStreams): Started {
    try {
      const line = commandLine(run.inputs, run.command);
      if (this.canceled) throw new StatusError(status.CANCELLED, "context canceled");
      if (run.timeoutSeconds !== 0 && run.timeoutSeconds < 1) {
        throw new StatusError(status.DEADLINE_EXCEEDED, "context deadline exceeded");
      }
      return startProcess(line, run.inputs, run.previous, streams.stdio);
    } finally {
      closeEnds(streams);
    }
  }
}

/** Resolves when the command and its descendants have closed their output and every line is logged. */
async function read({ inputs, log }: Run, streams: StandardStreams, printed: Printed): Promise<void> {
  const logging = inputs.logging ?? "stdoutAndStderr";
  const lines = new LineSplitter();
  let logged = Promise.resolve();
  const send = (ready: string[]) => {
    for (const line of ready) logged = logged.then(() => log(line));
  };
  const collect = async (stream: Readable, name: "stdout" | "stderr", isLogged: boolean) => {
    stream.on("data", (bytes: Buffer) => {
      printed[name].push(bytes);
      printed.both.push(bytes);
      if (isLogged) send(lines.push(bytes));
    });
    // A stream that was cut off by a kill has no more output.
    await finished(stream).catch(() => {});
  };
  await Promise.all([
    collect(streams.stdout, "stdout", ["stdout", "stdoutAndStderr"].includes(logging)),
    collect(streams.stderr, "stderr", ["stderr", "stdoutAndStderr"].includes(logging)),
  ]);
  send(lines.end());
  await logged;
}

function toOutput(pieces: Buffer[]): string {
  const bytes = Buffer.concat(pieces);
  if (!isUtf8(bytes)) {
    throw new StatusError(status.INTERNAL, "grpc: error while marshaling: string field contains invalid UTF-8");
  }
  return bytes.toString().replace(/\n$/, "");
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group has already ended, or belongs to a user whose processes this one may not kill.
  }
}
