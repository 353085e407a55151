import { masked } from "../lib/masking.ts";
import { notStarted, type ProgramEnd, runProgram, timedOut } from "../lib/process.ts";
import { SeedAgentError } from "./provider.ts";

export interface CliOptions {
  readonly timeoutSeconds: number;
  /** The environment of the user who runs `pulumi up`, including the CLI's credentials. */
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
  /** The remedy after a timeout. */
  readonly afterTimeout: string;
  /** Remedies, by a pattern of its error output. */
  readonly remedies: readonly (readonly [RegExp, string])[];
  /** Whether it prints some errors to stdout. Otherwise no error quotes stdout, which may contain secrets. */
  readonly hasErrorsOnStdout?: boolean;
  /** The variables that it gets. */
  environment(env: NodeJS.ProcessEnv): Record<string, string>;
  /** All values to redact: the given secrets in every form that it prints, and its own tokens. */
  redacted(secrets: readonly string[], env: NodeJS.ProcessEnv): readonly string[];
}

/** Runs a provider's command-line client, and turns its failures into errors with a remedy. */
export class ProviderCli {
  readonly #cli: CliDescription;

  constructor(cli: CliDescription) {
    this.#cli = cli;
  }

  /** @returns its stdout @throws SeedAgentError if it fails */
  async run(args: readonly string[], options: CliOptions): Promise<string> {
    const ended = await this.try(args, options);
    if (ended.code !== 0) throw this.errorOf(args, ended, options);
    return ended.stdout;
  }

  /** Like `run`, but returns a failure instead of throwing it. */
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
    const title = [program, ...command].join(" ");
    if (ended.code === timedOut) return new SeedAgentError(`${title} took too long and was stopped; ${afterTimeout}`);
    const raw = ended.stderr.trim() || (hasErrorsOnStdout ? ended.stdout.trim() : "");
    const printed = masked(raw, this.#secrets(options)).slice(-2000);
    const remedy = remedies.find(([pattern]) => pattern.test(printed))?.[1];
    const message = `${title} failed: ${printed || `exit status ${ended.code}`}`;
    return new SeedAgentError(remedy === undefined ? message : `${message}\n${remedy}`);
  }

  #secrets({ secrets = [], env }: CliOptions): readonly string[] {
    return this.#cli.redacted(secrets, env);
  }
}
