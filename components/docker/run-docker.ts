import { allowedEnvironment } from "../lib/environment.ts";
import { notStarted, type ProgramEnd, runProgram, timedOut } from "../lib/process.ts";

/** A Docker command failed. The message is Docker's own, or contains the remedy. */
export class DockerError extends Error {
  /** The exit code of the client, or of the command that it ran in a container. */
  readonly exitCode: number | undefined;

  constructor(message: string, exitCode?: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The container, image or volume does not exist, or the container is not running. */
export class NoSuchThing extends DockerError {}

export interface DockerOptions {
  readonly timeoutSeconds: number;
  /** With the address of Docker; see `dockerEnvironment`. This process's environment by default. */
  readonly env?: NodeJS.ProcessEnv;
  /** The client's stdin. */
  readonly input?: string | Uint8Array;
  /** Its abort ends the client. */
  readonly signal?: AbortSignal | undefined;
  /** Called with its output as it arrives. */
  readonly onOutput?: ((text: string) => void) | undefined;
}

/**
 * Runs the docker client and waits for it.
 *
 * @throws NoSuchThing, or another DockerError
 */
export async function runDocker(args: readonly string[], options: DockerOptions): Promise<ProgramEnd> {
  const { timeoutSeconds, env = process.env, input, signal, onOutput } = options;
  const ended = await runProgram("docker", args, {
    env: dockerEnvironment(env),
    timeoutSeconds,
    input,
    signal,
    onOutput,
  });
  if (ended.code !== 0) throw dockerFailure(args, ended);
  return ended;
}

/** Why the docker client failed. */
export function dockerFailure([verb = "", noun]: readonly string[], { code, stderr }: ProgramEnd): DockerError {
  if (code === notStarted) {
    return new DockerError(
      'docker is not on the PATH; install Docker (https://docs.docker.com/engine/install/), or declare provider = "local"',
    );
  }
  const words = `docker ${["volume", "container", "image"].includes(verb) ? `${verb} ${noun}` : verb}`;
  if (code === timedOut) return new DockerError(`${words} took too long and was stopped; see: docker info`);
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  // The client's own line after the daemon's error only says that the command failed.
  const said =
    lines.findLast((line) => line.startsWith("Error response from daemon")) ?? lines.at(-1) ?? `exit status ${code}`;
  if (/cannot connect to the docker daemon|error during connect|permission denied.*docker/i.test(stderr)) {
    return new DockerError(
      `Docker does not answer: ${said.trim()}; start it, and check that you may use it with: docker info`,
    );
  }
  const Reason = isOfNothing.test(stderr) ? NoSuchThing : DockerError;
  return new Reason(`${words} failed: ${said.trim()}`, code);
}

const isOfNothing = /no such (container|image|object|volume)|is not running|is restarting|container .* is paused/i;

/** The variables with Docker's address, the user's login there, and the builder and mirrors to use. */
const variables: readonly string[] = [
  ...["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_BUILDKIT"],
  ...["CHANGELINGS_IMAGE_BASE", "CHANGELINGS_IMAGE_DEBIAN", "CHANGELINGS_IMAGE_NPM", "CHANGELINGS_IMAGE_CA"],
];

/** Whether scripts that use Docker need this variable from the environment of `pulumi up`. */
export function isDockerVariable(name: string): boolean {
  return variables.includes(name);
}

/** The environment of the `docker` command. */
export function dockerEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  const own = variables.flatMap((name) => {
    const value = env[name];
    return value ? [[name, value] as const] : [];
  });
  return { ...allowedEnvironment(env), ...Object.fromEntries(own) };
}
