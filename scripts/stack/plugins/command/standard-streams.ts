import { execFile } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync, unlinkSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** The standard streams of one command. */
export interface StandardStreams {
  /** The command's ends, for `spawn`. Close them once the command has them. */
  stdio: ("ignore" | number)[];
  stdout: Socket;
  stderr: Socket;
}

/**
 * Creates standard streams that a command can reopen by name: Node's own are Unix sockets, on which `echo x
 * >/dev/stderr`, `tee /dev/stderr` and `cat /dev/stdin` fail. Output goes through named pipes. Input is a file, because
 * opening a named pipe blocks once all writers have closed it. Each loses its name once it is open.
 */
export class StreamMaker {
  private folder: string | undefined;
  private count = 0;
  /** Named pipes that no command has used yet. */
  private readonly spare: string[] = [];
  private making: Promise<void> | undefined;

  /** An undefined or empty `stdin` means the null device. */
  async open(stdin: string | undefined): Promise<StandardStreams> {
    const [stdout, outEnd] = openOutput(await this.takePipe());
    const [stderr, errEnd] = openOutput(await this.takePipe());
    const input = stdin ? openInput(this.nextName(), stdin) : "ignore";
    return { stdio: [input, outEnd, errEnd], stdout, stderr };
  }

  private async takePipe(): Promise<string> {
    for (let pipe = this.spare.pop(); ; pipe = this.spare.pop()) {
      if (pipe !== undefined) return pipe;
      this.making ??= this.makePipes().finally(() => {
        this.making = undefined;
      });
      await this.making;
    }
  }

  /** Many at a time, because the cost is in starting a process. */
  private async makePipes(): Promise<void> {
    const names = Array.from({ length: 32 }, () => this.nextName());
    const env = { PATH: `${process.env["PATH"] ?? ""}:/usr/bin:/bin` };
    await promisify(execFile)("mkfifo", ["-m", "600", ...names], { env });
    this.spare.push(...names);
  }

  private nextName(): string {
    this.folder ??= mkdtempSync(join(tmpdir(), "pulumi-command-"));
    return join(this.folder, String(this.count++));
  }

  /** Call this when the plugin ends. */
  close(): void {
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The plugin's end and the command's end of a named pipe. */
function openOutput(name: string): [Socket, number] {
  const read = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK);
  const write = openSync(name, constants.O_WRONLY);
  unlinkSync(name);
  return [new Socket({ fd: read, readable: true, writable: false }), write];
}

function openInput(name: string, content: string): number {
  const file = openSync(name, "wx+", 0o600);
  unlinkSync(name);
  const bytes = Buffer.from(content);
  // Written by position, so that the command reads from the start.
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, at);
  return file;
}

/** Closes the command's ends. */
export const closeEnds = ({ stdio }: StandardStreams): void => {
  for (const end of stdio) if (typeof end === "number") closeSync(end);
};
