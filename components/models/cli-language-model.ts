import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  JSONObject,
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  LanguageModelV4Usage,
  SharedV4Warning,
} from "@ai-sdk/provider";
import { notStarted, runProgram } from "../lib/process.ts";
import { abortError, callError, type Environment, timeoutError } from "./errors.ts";
import type { CliFailure } from "./failure.ts";
import { type TextPrompt, textPrompt } from "./prompt.ts";
import { CliStopped, reasonOfEnd, runCli } from "./run-cli.ts";
import { StreamParts } from "./stream-parts.ts";

/*
 * Why not a community provider: ai-sdk-provider-claude-code 4.1 and ai-sdk-provider-codex-cli 2.2 were tried with this
 * SDK and these CLIs. The first runs the Agent SDK with its own CLI instead of `claude --print`. Both put "Human: " or
 * "User: " before a prompt, read neither CODEX_SANDBOX nor the other variables of spec 003, and leave tools enabled. And
 * the CLIs' output would be parsed in two places, because the sandboxes' runtimes parse it too.
 */

export interface CliModelOptions {
  /** Default: see `claudeCli` and `codexCli`. */
  readonly model?: string | undefined;
  /** The environment to read. Only an allowlist of it reaches the CLI. Default: this process's. */
  readonly env?: Environment | undefined;
  /** The time limit of one call. Default: 600. */
  readonly timeoutSeconds?: number | undefined;
  /** How long a stream may be silent; the CLIs would wait forever. */
  readonly idleTimeoutSeconds?: number | undefined;
}

/** A call of the model. */
export interface Call {
  readonly options: LanguageModelV4CallOptions;
  readonly prompt: TextPrompt;
  readonly env: Environment;
  readonly streams: boolean;
  /** For files that the CLI reads; private, and removed after the call. */
  readonly folder: string;
}

export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** Turns the events of one run of a CLI into text. */
export interface TextRun {
  /** @param say called with new text; `block` changes where a new block of text begins */
  take(value: unknown, say: (text: string, block: number) => void): void;
  /** What its events say so far. */
  readonly outcome: RunOutcome;
  /** @param otherwise the reason of a failure if the CLI gave none */
  end(otherwise: string): Answer | FailedRun;
}

/** Decides by a run's events whether it succeeds. */
export interface RunOutcome {
  /** Whether waiting for the CLI's end is pointless. */
  readonly keyIsRejected: boolean;
  /** @returns undefined if the run succeeded */
  failure(otherwise: string): CliFailure | undefined;
}

export interface Answer {
  readonly text: string;
  readonly usage: LanguageModelV4Usage;
  readonly finishReason: LanguageModelV4FinishReason;
  readonly metadata: JSONObject;
}

export interface FailedRun {
  readonly failure: CliFailure;
  readonly isRetryable: boolean;
  readonly costUsd: number;
}

/** The differences between the CLIs. */
export interface TextCli {
  readonly name: string;
  readonly provider: string;
  /** The key of its `providerMetadata` and `providerOptions`. */
  readonly key: string;
  /** Variables that contain credentials. */
  readonly secrets: readonly string[];
  /** Remedies for the user: how to install it, and how to give it a credential. */
  readonly install: string;
  readonly login: string;
  readonly idleTimeoutSeconds: number;
  modelId(model: string | undefined, env: Environment): string;
  warnings(options: LanguageModelV4CallOptions): SharedV4Warning[];
  /** @throws LoadAPIKeyError if it can be known before the run; InvalidArgumentError */
  command(call: Call, model: string | undefined): Promise<Command>;
  run(call: Call): TextRun;
}

/**
 * A language model that runs a CLI: text only, without tools. The CLI runs in its own empty folder and process group, with
 * an allowlisted environment and a time limit.
 */
export class CliLanguageModel implements LanguageModelV4 {
  readonly specificationVersion = "v4" as const;
  readonly supportedUrls = {};
  readonly #cli: TextCli;
  readonly #options: CliModelOptions;

  constructor(cli: TextCli, options: CliModelOptions) {
    this.#cli = cli;
    this.#options = options;
  }

  get provider(): string {
    return this.#cli.provider;
  }

  get modelId(): string {
    return this.#cli.modelId(this.#options.model, this.#env);
  }

  get #env(): Environment {
    return this.#options.env ?? process.env;
  }

  async doGenerate(options: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const { text, usage, finishReason, metadata } = await this.#call(options, { streams: false });
    return {
      content: [{ type: "text", text }],
      usage,
      finishReason,
      warnings: this.#cli.warnings(options),
      providerMetadata: { [this.#cli.key]: metadata },
    };
  }

  /** Rejects if the call fails before the first text, so that the SDK can retry it. */
  async doStream(options: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    const stop = new AbortController();
    const signal =
      options.abortSignal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.abortSignal]);
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    let hasBegun = false;
    const parts = new StreamParts();
    const stream = new ReadableStream<LanguageModelV4StreamPart>({
      start: (controller) => parts.open(controller),
      cancel: () => stop.abort(),
    });
    parts.add({ type: "stream-start", warnings: this.#cli.warnings(options) });
    const ended = this.#call(options, {
      streams: true,
      signal,
      say(text, block) {
        parts.say(text, block);
        hasBegun = true;
        begin();
      },
      onValue: (rawValue) => options.includeRawChunks === true && parts.add({ type: "raw", rawValue }),
    }).then(
      ({ text, usage, finishReason, metadata }) => {
        if (!hasBegun && text !== "") parts.say(text, 0);
        parts.end({ type: "finish", usage, finishReason, providerMetadata: { [this.#cli.key]: metadata } });
      },
      (error: unknown) => {
        if (!hasBegun) throw error;
        if (options.abortSignal?.aborted) parts.fail(error);
        else {
          parts.add({ type: "error", error });
          parts.end({ type: "finish", usage: noUsage, finishReason: { unified: "error", raw: undefined } });
        }
      },
    );
    await Promise.race([begun, ended]);
    return { stream };
  }

  async #call(options: LanguageModelV4CallOptions, how: CallMode): Promise<Answer> {
    const cli = this.#cli;
    const env = this.#env;
    const secrets = cli.secrets.flatMap((name) => env[name] ?? []);
    const signal = how.signal ?? options.abortSignal;
    if (signal?.aborted) throw abortError(signal);
    const prompt = textPrompt(options.prompt);
    const folder = await mkdtemp(join(tmpdir(), "changelings-model-"));
    const about = { name: cli.name, login: cli.login, secrets, isRetryable: false, costUsd: 0 };
    try {
      const call = { options, prompt, env, streams: how.streams, folder };
      const command = await cli.command(call, this.#options.model);
      const run = cli.run(call);
      const timeoutSeconds = this.#options.timeoutSeconds ?? 600;
      const cwd = join(folder, "empty");
      await mkdir(cwd);
      const end = await runCli({
        ...command,
        name: cli.name,
        cwd,
        timeoutSeconds,
        // Without a stream, everything is printed at the end.
        idleTimeoutSeconds: how.streams ? (this.#options.idleTimeoutSeconds ?? cli.idleTimeoutSeconds) : timeoutSeconds,
        signal,
        onValue(value) {
          how.onValue?.(value);
          run.take(value, how.say ?? (() => {}));
        },
        isBusy: () => false,
        fatal() {
          const failure = run.outcome.keyIsRejected ? run.outcome.failure("the key is rejected") : undefined;
          return failure && callError(failure, about);
        },
        exec: ([program = "", ...args], { stdin, ...limits }) =>
          runProgram(program, args, { ...limits, input: stdin, endsGroup: true, maxOutput }),
      });
      const otherwise =
        end.code === notStarted ? `it can't be started: ${cli.install}: ${end.text}` : reasonOfEnd(cli.name, end);
      const answer = run.end(otherwise);
      if ("failure" in answer) throw callError(answer.failure, { ...about, ...answer });
      return answer;
    } catch (error) {
      if (!(error instanceof CliStopped)) throw error;
      throw error.code === "cancelled" ? abortError(signal) : timeoutError(error, about);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

interface CallMode {
  readonly streams: boolean;
  readonly signal?: AbortSignal;
  readonly say?: (text: string, block: number) => void;
  readonly onValue?: (value: unknown) => void;
}

/** The maximum length of the CLI's output, in characters. */
const maxOutput = 64 * 1024 * 1024;

const noUsage: LanguageModelV4Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};
