import * as z from "zod/mini";
import { messageOf } from "../../lib/as-error.ts";
import { type CliEnd, reasonOfEnd } from "../../models/run-cli.ts";
import { type BrokeredApi, SandboxGone } from "../provider.ts";
import { reasonOf, runInSandbox } from "./run-cli.ts";
import {
  type AgentRuntime,
  type ExecuteOptions,
  type RuntimeConfig,
  type RuntimeContext,
  RuntimeError,
  type RuntimeEvent,
} from "./runtime.ts";

/** An agent's command line program that executes one prompt per run, and can resume a conversation. */
export interface Cli<Options, State> {
  /** The program's name on the sandbox's PATH. */
  readonly name: string;
  /** The command that installs it. */
  readonly install: string;
  readonly options: z.ZodMiniType<Options>;
  readonly state: z.ZodMiniType<State>;
  /** The environment variables that can contain the key, by descending precedence; empty if it needs no key. */
  keys(options: Options): readonly string[];
  /** The model's API, if the program can use it through the sandbox's broker. */
  api?(ready: Ready<Options>): BrokeredApi;
  /** A command that has to run before the first prompt of a session, and the state that this prompt resumes. */
  begin?(ready: Ready<Options>): { readonly command: Command; readonly state: State };
  command(prompt: Prompt<Options>, resumed: State | undefined): Command;
  turn(emit: (event: RuntimeEvent) => void, resumed: State | undefined): Turn<State>;
  /** Why a run failed before the prompt was sent, if it can be repeated without the missing part. */
  obstacle(end: CliEnd): Obstacle | undefined;
}

export interface Obstacle {
  readonly missing: "conversation" | "servers";
  /** For people. */
  readonly notice: string;
}

export const noConversation: Obstacle = {
  missing: "conversation",
  notice: "the conversation is not in this sandbox any more: a new one was started",
};

/** A prompt and its context. */
export interface Prompt<Options> {
  readonly text: string;
  readonly config: RuntimeConfig;
  readonly options: Options;
  /** Name and value are empty if the program needs no key. With a broker, the value is a token that is valid for this run. */
  readonly key: { readonly name: string; readonly value: string };
  /** The base URL of the broker, if the sandbox has one. */
  readonly brokerUrl?: string | undefined;
  /** The variables for the agent, without any key. */
  readonly env: Readonly<Record<string, string>>;
  readonly budgetUsd: number | undefined;
  /** Whether the prompt is executed even if an MCP server does not start. */
  readonly serversAreOptional: boolean;
}

export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** Turns the lines that one run prints into events, and an answer or an error. */
export interface Turn<State> {
  take(value: unknown): void;
  /** For the next prompt, which resumes the conversation; undefined until it has begun. */
  readonly state: State | undefined;
  /** Whether a tool is running. */
  readonly isBusy: boolean;
  /** An error after which the run can be ended at once. */
  readonly fatal: RuntimeError | undefined;
  /** Reports usage and cost as far as known, also of an aborted run. */
  close(): void;
  /**
   * @param otherwise the message of the error if the program gave no reason
   * @throws RuntimeError if the run failed
   */
  answer(otherwise: string): string;
}

interface Limits {
  readonly timeout_seconds: number;
  readonly idle_timeout_seconds: number;
  readonly budget_usd?: number | undefined;
}

/** The parts of a prompt that are the same for the whole session. */
export type Ready<Options> = Pick<Prompt<Options>, "config" | "options" | "key" | "env">;

/** How long `begin` may take. */
const beginSeconds = 100;

/** Runs a CLI in the sandbox for each prompt. A second prompt at the same time is rejected, not queued. */
export class CliRuntime<Options extends Limits, State> implements AgentRuntime {
  readonly #cli: Cli<Options, State>;
  #ready: Ready<Options> | undefined;
  #state: State | undefined;
  #running: AbortController | undefined;

  constructor(cli: Cli<Options, State>) {
    this.#cli = cli;
  }

  async initialize(config: RuntimeConfig): Promise<void> {
    const { name } = this.#cli;
    const options = z.safeParse(this.#cli.options, config.options);
    if (!options.success) {
      const issues = options.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`.trim());
      throw new RuntimeError("runtime_failed", `invalid runtime_config of ${name}: ${issues.join("; ")}`);
    }
    const keys = this.#cli.keys(options.data);
    const key = keys.find((each) => config.env[each]);
    if (key === undefined && keys.length > 0)
      throw new RuntimeError(
        "missing_api_key",
        `${name} has no key: set ${keys.join(" or ")}, and name it in \`secrets\``,
      );
    const env = Object.fromEntries(Object.entries(config.env).filter(([variable]) => !keys.includes(variable)));
    const ready = { config, options: options.data, key: { name: key ?? "", value: config.env[key ?? ""] ?? "" }, env };
    // The state may be that of another runtime.
    const state = z.safeParse(this.#cli.state, config.state);
    try {
      await this.#checkProgram(config);
      this.#state = state.success ? state.data : await this.#begin(ready);
    } catch (error) {
      throw cleaned(error, config.env);
    }
    this.#ready = ready;
  }

  async execute(text: string, _context: RuntimeContext, execution: ExecuteOptions = {}): Promise<string> {
    if (this.#ready === undefined) throw new RuntimeError("runtime_failed", "the runtime is not initialized");
    if (this.#running !== undefined)
      throw new RuntimeError("runtime_failed", "the runtime is executing another prompt: it executes one at a time");
    if (text.trim() === "") throw new RuntimeError("runtime_failed", "the prompt is empty");
    const running = new AbortController();
    this.#running = running;
    try {
      return await this.#execute({ ...this.#ready, text }, running.signal, execution);
    } catch (error) {
      throw cleaned(error, this.#ready.config.env);
    } finally {
      this.#running = undefined;
    }
  }

  async terminate(): Promise<void> {
    this.#running?.abort();
  }

  async #execute(
    ready: Omit<Prompt<Options>, "budgetUsd" | "serversAreOptional">,
    ended: AbortSignal,
    execution: ExecuteOptions,
  ) {
    const { timeout_seconds, idle_timeout_seconds, budget_usd } = ready.options;
    const prompt = { ...ready, budgetUsd: least(budget_usd, execution.budgetUsd) };
    if (prompt.budgetUsd !== undefined && prompt.budgetUsd <= 0)
      throw new RuntimeError("over_budget", "no budget is left for the prompt");
    const limits = {
      timeoutSeconds: least(timeout_seconds, execution.timeoutSeconds) ?? timeout_seconds,
      idleTimeoutSeconds: idle_timeout_seconds,
      signal: execution.signal === undefined ? ended : AbortSignal.any([ended, execution.signal]),
    };
    const emit = execution.onEvent ?? (() => {});
    const missing = new Set<Obstacle["missing"]>();
    for (;;) {
      const run = { ...prompt, serversAreOptional: missing.has("servers") };
      const end = await this.#run(run, limits, emit);
      if ("answer" in end) return end.answer;
      emit({ type: "notice", text: end.notice });
      if (missing.has(end.missing)) throw new RuntimeError("runtime_failed", end.notice);
      missing.add(end.missing);
      if (end.missing === "conversation") this.#state = undefined;
    }
  }

  async #run(
    prompt: Prompt<Options>,
    limits: { timeoutSeconds: number; idleTimeoutSeconds: number; signal: AbortSignal },
    emit: (event: RuntimeEvent) => void,
  ): Promise<{ readonly answer: string } | Obstacle> {
    const turn = this.#cli.turn(emit, this.#state);
    const remember = (): void => {
      if (turn.state === undefined || turn.state === this.#state) return;
      this.#state = turn.state;
      emit({ type: "state", state: this.#state });
    };
    const { sandbox } = prompt.config;
    const access = this.#cli.api && sandbox.accessApi?.(this.#cli.api(prompt));
    const key = { ...prompt.key, value: access?.token ?? prompt.key.value };
    let end: CliEnd;
    try {
      end = await runInSandbox(sandbox, {
        ...limits,
        ...this.#cli.command({ ...prompt, key, brokerUrl: access?.url }, this.#state),
        name: this.#cli.name,
        cwd: prompt.config.repoPath,
        onValue(value) {
          turn.take(value);
          remember();
        },
        isBusy: () => turn.isBusy,
        fatal: () => turn.fatal,
      });
    } finally {
      access?.end();
      turn.close();
      remember();
    }
    const obstacle = end.code === 0 || turn.state !== undefined ? undefined : this.#cli.obstacle(end);
    if (obstacle !== undefined) return obstacle;
    return { answer: turn.answer(reasonOfEnd(this.#cli.name, end)) };
  }

  async #begin(ready: Ready<Options>): Promise<State | undefined> {
    const { command, state } = this.#cli.begin?.(ready) ?? {};
    if (command === undefined) return undefined;
    const turn = this.#cli.turn(() => {}, undefined);
    const end = await runInSandbox(ready.config.sandbox, {
      ...command,
      name: this.#cli.name,
      cwd: ready.config.repoPath,
      timeoutSeconds: beginSeconds,
      idleTimeoutSeconds: beginSeconds,
      onValue: (value) => turn.take(value),
      isBusy: () => false,
      fatal: () => undefined,
    });
    if (end.code !== 0) turn.answer(reasonOfEnd(this.#cli.name, end));
    return state;
  }

  async #checkProgram({ sandbox }: RuntimeConfig): Promise<void> {
    const { name, install } = this.#cli;
    const argv = ["sh", "-c", 'command -v "$1"', "sh", name];
    const { code } = await sandbox.exec(argv, { timeoutSeconds: 60, needsNetwork: false });
    if (code === 0) return;
    const remedy = `install it in the sandbox's image: ${install}`;
    throw new RuntimeError("runtime_failed", `${name} is not on the sandbox's PATH: ${remedy}`);
  }
}

/** Redacts an error, which comes from the sandbox or an API and may contain secrets. Drops its cause for the same reason. */
function cleaned(error: unknown, env: Readonly<Record<string, string>>): RuntimeError {
  if (error instanceof SandboxGone) return new RuntimeError("sandbox_gone", error.message);
  const message = messageOf(error);
  const code = error instanceof RuntimeError ? error.code : "runtime_failed";
  return new RuntimeError(code, reasonOf(message, env));
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}
