import { execFile } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync, unlinkSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** A pipe to or from a command. */
export interface Pipe {
  /** The plugin's end. */
  stream: Socket;
  /** The command's end: a file descriptor, to be closed once the command has it. */
  commandEnd: number;
}

export interface Pipes {
  stdin: Pipe | undefined;
  stdout: Pipe;
  stderr: Pipe;
}

/**
 * Real pipes for a command's standard streams. Node gives a child Unix sockets, which a command can't reopen: `echo x
 * >/dev/stderr` and `tee /dev/stderr` fail on one. So each stream is a named pipe, unlinked as soon as it is open.
 */
export class PipeMaker {
  private folder: string | undefined;
  private count = 0;

  async open(withStdin: boolean): Promise<Pipes> {
    this.folder ??= mkdtempSync(join(tmpdir(), "pulumi-command-"));
    const prefix = join(this.folder, String(this.count++));
    const [stdin, stdout, stderr] = [`${prefix}.in`, `${prefix}.out`, `${prefix}.err`];
    const names = [stdout, stderr, ...(withStdin ? [stdin] : [])];
    const env = { PATH: `${process.env["PATH"] ?? ""}:/usr/bin:/bin` };
    await promisify(execFile)("mkfifo", ["-m", "600", ...names], { env });
    try {
      return {
        stdin: withStdin ? openToCommand(stdin) : undefined,
        stdout: openFromCommand(stdout),
        stderr: openFromCommand(stderr),
      };
    } finally {
      names.forEach(unlinkSync);
    }
  }

  /** To be called when the plugin ends. */
  close(): void {
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}

// The command's ends are opened blocking, as programs expect of their standard streams.

function openFromCommand(name: string): Pipe {
  const stream = new Socket({ fd: openSync(name, O_RDONLY | O_NONBLOCK), readable: true, writable: false });
  return { stream, commandEnd: openSync(name, O_WRONLY) };
}

function openToCommand(name: string): Pipe {
  // Opening either end alone would block or fail; this one is both until the two are there.
  const both = openSync(name, O_RDWR);
  const commandEnd = openSync(name, O_RDONLY);
  const stream = new Socket({ fd: openSync(name, O_WRONLY | O_NONBLOCK), readable: false, writable: true });
  // A command may end without reading all of it.
  stream.on("error", () => {});
  closeSync(both);
  return { stream, commandEnd };
}
