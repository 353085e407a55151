import { masked } from "../lib/masking.ts";
import { notStarted, type ProgramEnd, runProgram, timedOut } from "../lib/process.ts";
import { SeedAgentError } from "./provider.ts";

export interface CliOptions {
  readonly timeoutSeconds: number;
  /** The environment of the user who runs `pulumi up`, with what the CLI logs in with. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  /** Its stdin. */
  readonly input?: string | undefined;
  /** Values that are redacted from errors. */
  readonly secrets?: readonly string[] | undefined;
  readonly onProgress?: ((line: string) => void) | undefined;
}

/** A provider's command-line client. */
export interface CliDescription {
  readonly program: string;
  /** The error if it is not installed. */
  readonly missing: string;
  /** What the user can do if it took too long. */
  readonly afterTimeout: string;
  /** What the user can do, by what it printed. */
  readonly remedies: readonly (readonly [RegExp, string])[];
  /** Whether some of its errors are on stdout. Otherwise stdout, which may contain secrets, is in no error. */
  readonly hasErrorsOnStdout?: boolean;
  /** The variables that it gets. */
  environment(env: NodeJS.ProcessEnv): Record<string, string>;
  /** All values to redact: the given secrets in every form that it prints, and its own tokens. */
  redacted(secrets: readonly string[], env: NodeJS.ProcessEnv): readonly string[];
}

/** Runs such a client, and turns its failures into errors with a remedy. */
export class ProviderCli {
  readonly #cli: CliDescription;

  constructor(cli: CliDescription) {
    this.#cli = cli;
  }

  /** @returns what it printed @throws SeedAgentError if it fails */
  async run(args: readonly string[], options: CliOptions): Promise<string> {
    const ended = await this.try(args, options);
    if (ended.code !== 0) throw this.errorOf(args, ended, options);
    return ended.stdout;
  }

  /** As `run`, but the caller judges how it ended. */
  try(args: readonly string[], options: CliOptions): Promise<ProgramEnd> {
    const { timeoutSeconds, env, signal, input, onProgress } = options;
    const secrets = this.#secrets(options);
    return runProgram(this.#cli.program, args, {
      env: this.#cli.environment(env),
      ...{ timeoutSeconds, signal, input },
      maxOutput: 64 * 1024 * 1024,
      endsGroup: true,
      onOutput: onProgress && ((text) => void masked(text, secrets).split("\n").filter(Boolean).forEach(onProgress)),
    });
  }

  errorOf(args: readonly string[], ended: ProgramEnd, options: CliOptions): SeedAgentError {
    const { program, missing, afterTimeout, remedies, hasErrorsOnStdout } = this.#cli;
    if (ended.code === notStarted) return new SeedAgentError(missing);
    const command = args.filter((each) => !each.startsWith("-")).slice(0, 2);
    const words = [program, ...command].join(" ");
    if (ended.code === timedOut) return new SeedAgentError(`${words} took too long and was stopped; ${afterTimeout}`);
    const raw = ended.stderr.trim() || (hasErrorsOnStdout ? ended.stdout.trim() : "");
    const printed = masked(raw, this.#secrets(options)).slice(-2000);
    const remedy = remedies.find(([pattern]) => pattern.test(printed))?.[1];
    const message = `${words} failed: ${printed || `exit status ${ended.code}`}`;
    return new SeedAgentError(remedy === undefined ? message : `${message}\n${remedy}`);
  }

  #secrets({ secrets = [], env }: CliOptions): readonly string[] {
    return this.#cli.redacted(secrets, env);
  }
}
