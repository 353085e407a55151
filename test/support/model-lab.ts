import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LanguageModelV4 } from "@ai-sdk/provider";
import { afterAll, beforeAll } from "vitest";
import { claudeCli } from "../../components/models/claude.ts";
import type { CliModelOptions } from "../../components/models/cli-language-model.ts";
import { codexCli } from "../../components/models/codex.ts";
import { agentPath } from "./agent-clis.ts";
import { startFakeAnthropic } from "./fake-model-api/anthropic.ts";
import { startFakeResponses } from "./fake-model-api/responses.ts";
import type { FakeModelApi } from "./fake-model-api/server.ts";

/** Long enough to be redacted, and found in files. */
export const modelKey = "sk-lab-0123456789abcdef";

/** Language models over a real CLI, with a fake of its API. For one test file. */
export class ModelLab {
  readonly name: "claude" | "codex";
  #api: FakeModelApi | undefined;
  #path = "";
  #folder = "";

  constructor(name: "claude" | "codex") {
    this.name = name;
    beforeAll(async () => {
      this.#path = await agentPath();
      this.#api = await (name === "claude" ? startFakeAnthropic() : startFakeResponses());
      this.#folder = mkdtempSync(join(tmpdir(), "model-lab-"));
      mkdirSync(this.tmp);
      mkdirSync(this.home);
      this.configure("");
    });
    afterAll(async () => {
      await this.#api?.[Symbol.asyncDispose]();
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  get api(): FakeModelApi {
    if (this.#api === undefined) throw new Error("the lab is used outside of a test");
    return this.#api;
  }

  /** The CLI's own folder. */
  get home(): string {
    return join(this.#folder, "home");
  }

  /** Its folder for temporary files. */
  get tmp(): string {
    return join(this.#folder, "tmp");
  }

  /** Codex's configuration; `more` is appended. */
  configure(more: string): void {
    if (this.name === "claude") return;
    const provider = [
      ...["model = 'gpt-lab'", "model_provider = 'lab'", "[model_providers.lab]", "name = 'lab'"],
      ...[`base_url = '${this.api.url}/v1'`, "wire_api = 'responses'", "env_key = 'OPENAI_API_KEY'"],
      ...["request_max_retries = 1", "stream_max_retries = 1"],
    ];
    writeFileSync(join(this.home, "config.toml"), `${provider.join("\n")}\n${more}`);
  }

  env(more: Readonly<Record<string, string | undefined>> = {}): Record<string, string | undefined> {
    return {
      PATH: this.#path,
      HOME: this.#folder,
      TMPDIR: this.tmp,
      ...(this.name === "claude"
        ? { CLAUDE_API_URL: this.api.url, CLAUDE_HOME: this.home, ANTHROPIC_API_KEY: modelKey }
        : { CODEX_HOME: this.home, OPENAI_API_KEY: modelKey }),
      ...more,
    };
  }

  model(options: CliModelOptions = {}): LanguageModelV4 {
    const make = this.name === "claude" ? claudeCli : codexCli;
    return make({ ...options, env: options.env ?? this.env() });
  }

  /** The last request to the model, as text. */
  get body(): string {
    return JSON.stringify(this.api.prompts().at(-1)?.body);
  }

  /** The command lines of all processes whose environment names this lab's folder. */
  processes(): string[] {
    return readdirSync("/proc").flatMap((pid) => {
      if (!/^\d+$/.test(pid)) return [];
      try {
        if (!readFileSync(`/proc/${pid}/environ`, "utf8").includes(`HOME=${this.#folder}\0`)) return [];
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()].filter(Boolean);
      } catch {
        return [];
      }
    });
  }

  /** What calls left in the folder for temporary files. */
  leftovers(): string[] {
    return readdirSync(this.tmp).filter((name) => name.startsWith("changelings-model-"));
  }
}

export async function failureOf(work: PromiseLike<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error("it rejected with something that is no error", { cause: error });
  }
  throw new Error("it succeeded");
}
