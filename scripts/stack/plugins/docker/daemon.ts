import { type ChildProcess, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { z } from "zod/mini";

/** Selects a daemon other than the docker client's own choice. */
export interface DaemonChoice {
  host?: string | undefined;
  context?: string | undefined;
}

export interface Call {
  query?: Record<string, string>;
  /** Sent as JSON. */
  body?: unknown;
}

/** The daemon refused. `status` is the HTTP status: 404 for missing, 409 for a conflict. */
export class DaemonError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(`Error response from daemon: ${message}`);
    this.status = status;
  }
}

const refusal = z.object({ message: z.string() });

/**
 * The docker daemon. Each request goes through its own `docker system dial-stdio`, the client's way to forward HTTP to
 * the daemon. So only the client needs to know DOCKER_HOST, contexts, TLS and ssh, and no request data, including
 * secrets, is in an argument list.
 */
export class Daemon {
  private readonly options: string[];
  private readonly running = new Set<ChildProcess>();

  constructor({ host, context }: DaemonChoice = {}) {
    this.options = context !== undefined ? ["--context", context] : host !== undefined ? ["--host", host] : [];
  }

  /**
   * @returns the daemon's response, parsed; undefined if it is empty
   * @throws {DaemonError} if it refused
   * @throws {Error} in the client's words, if the daemon can't be reached
   */
  async call(method: "DELETE" | "GET" | "POST", path: string, { query, body }: Call = {}): Promise<unknown> {
    const content = body === undefined ? "" : JSON.stringify(body);
    // HTTP/1.0: the response is not chunked and ends with the connection.
    const head = [
      `${method} ${encodeURI(path)}?${new URLSearchParams(query)} HTTP/1.0`,
      "Host: docker",
      "Content-Type: application/json",
      `Content-Length: ${Buffer.byteLength(content)}`,
    ];
    const { output, errors, failure } = await this.run(
      ["system", "dial-stdio"],
      `${head.join("\r\n")}\r\n\r\n${content}`,
    );
    const [, status, answer = ""] = /^HTTP\/\d\.\d (\d+).*?\r\n\r\n(.*)$/s.exec(output) ?? [];
    if (status === undefined) throw new Error(errors || failure || "the docker client ended without an answer");
    if (Number(status) >= 400) throw new DaemonError(Number(status), toMessage(answer));
    return answer === "" ? undefined : JSON.parse(answer);
  }

  /** Pulls an image with the client's own logins. @throws {Error} with the client's message */
  async pull(image: string): Promise<void> {
    const { errors, failure } = await this.run(["pull", "--quiet", "--", image], "");
    if (failure !== undefined) throw new Error(errors || failure);
  }

  /** Cancels running requests. */
  close(): void {
    for (const client of this.running) client.kill();
  }

  private async run(args: string[], input: string): Promise<Finished> {
    const client = spawn("docker", [...this.options, ...args]);
    this.running.add(client);
    const failed = new Promise<string | undefined>((resolve) => {
      client.once("error", (error) => resolve(startFailure(error)));
      client.once("close", (code, signal) => resolve(code === 0 ? undefined : `docker ended with ${signal ?? code}`));
    });
    // Its input stays open, because the daemon takes its end for a disconnect. The client's exit reports errors.
    client.stdin.on("error", () => {}).write(input);
    const [output, errors, failure] = await Promise.all([text(client.stdout), text(client.stderr), failed]);
    this.running.delete(client);
    return { output, errors: errors.trim(), failure };
  }
}

interface Finished {
  output: string;
  errors: string;
  /** Undefined for success. */
  failure: string | undefined;
}

function startFailure(error: Error): string {
  const isMissing = "code" in error && error.code === "ENOENT";
  return isMissing
    ? "the docker client is not on PATH; install it: https://docs.docker.com/engine/install/"
    : error.message;
}

function toMessage(content: string): string {
  try {
    return refusal.parse(JSON.parse(content)).message;
  } catch {
    return content.trim();
  }
}

/** For `catch`: undefined for a missing object, rethrows every other error. */
export function orGone(error: unknown): undefined {
  if (error instanceof DaemonError && error.status === 404) return undefined;
  throw error;
}
