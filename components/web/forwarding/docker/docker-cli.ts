import { spawn } from "node:child_process";
import { DockerError } from "../../docker/docker-client.ts";
import { dockerEnvironment } from "../../docker/docker-environment.ts";

/** The container does not run, or there is none. */
export class NoContainer extends DockerError {}

export interface DockerOptions {
  readonly timeoutSeconds: number;
  /** What it reads on stdin. */
  readonly input?: string;
  /** Whether what it says goes to this process's stderr, as it comes. */
  readonly isTold?: boolean;
  /** Whether what it says on stderr is returned too. */
  readonly withStderr?: boolean;
  /** With this exit status a program in the container says that the server is not there. */
  readonly noContainerCode?: number;
}

/**
 * Runs the docker client to its end.
 *
 * @returns its stdout
 * @throws NoContainer, or DockerError with what it said, or that it or its daemon is not there
 */
export function docker(args: readonly string[], options: DockerOptions): Promise<string> {
  const { timeoutSeconds, input, isTold = false, withStderr = false, noContainerCode } = options;
  return new Promise((resolve, reject) => {
    const child = spawn("docker", args, {
      env: dockerEnvironment(process.env),
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      timeout: timeoutSeconds * 1000,
      killSignal: "SIGKILL",
    });
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const) {
      child[stream]?.setEncoding("utf8").on("data", (text: string) => {
        output[stream] += text;
        if (isTold) process.stderr.write(text);
      });
    }
    // It may be gone before it has read it.
    child.stdin?.on("error", () => {}).end(input);
    child.once("error", (error) => reject(notStarted(error)));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(output.stdout + (withStderr ? output.stderr : ""));
      else if (code === noContainerCode) reject(new NoContainer(output.stderr.trim()));
      else if (signal === null) reject(failed(args, output.stderr));
      else reject(new DockerError(`docker ${args[0]} was not done after ${timeoutSeconds} s; see: docker info`));
    });
  });
}

export function notStarted(error: Error): DockerError {
  const isMissing = "code" in error && error.code === "ENOENT";
  return new DockerError(
    isMissing
      ? 'docker is not on the PATH; install Docker (https://docs.docker.com/engine/install/), or write provider = "local" in [forwarding]'
      : `docker could not be started: ${error.message}`,
  );
}

/** @param said on its stderr */
export function failed([verb]: readonly string[], said: string): DockerError {
  const last = said.trim().split("\n").at(-1) || "it said nothing";
  if (/cannot connect to the docker daemon|error during connect|permission denied.*docker/i.test(said)) {
    return new DockerError(`Docker does not answer: ${last}; mend what \`docker info\` says, then once more`);
  }
  if (/no such (container|image|object)|is not running|is restarting|container .* is paused/i.test(said)) {
    return new NoContainer(last);
  }
  return new DockerError(`docker ${verb} failed: ${last}`);
}
