import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { APICallError, LoadAPIKeyError } from "@ai-sdk/provider";
import { generateText, Output, streamText } from "ai";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { isMissingApiKey } from "../../components/models/errors.ts";
import { failureOf, ModelLab } from "../support/model-lab.ts";
import { describeLanguageModel } from "./language-model.ts";

const lab = new ModelLab("codex");

describeLanguageModel(lab, { attempts: 2 });

describe("the real Codex CLI", () => {
  it("answers with text and usage, as a model without tools", async () => {
    const { text, usage, finishReason, warnings } = await generateText({
      model: lab.model({ model: "gpt-other" }),
      system: "You are brief.",
      prompt: "@@say two words",
      temperature: 0.5,
      maxOutputTokens: 100,
    });
    expect({ text, finishReason }).toEqual({ text: "two words", finishReason: "stop" });
    expect(usage).toMatchObject({ inputTokens: 100, outputTokens: 20 });
    expect(warnings).toMatchObject([{ feature: "temperature" }, { feature: "maxOutputTokens" }]);
    const { model, tools, input } = z
      .object({ model: z.string(), tools: z.array(z.object({ name: z.string() })), input: z.unknown() })
      .parse(JSON.parse(lab.body));
    expect(model).toBe("gpt-other");
    // It asks a person, which `exec` refuses.
    expect(tools.map(({ name }) => name)).toEqual(["request_user_input"]);
    expect(JSON.stringify(input)).toContain("You are brief.");
    expect(JSON.stringify(input)).not.toMatch(/coding agent|cwd/);
  });

  it("answers with an object of a schema", async () => {
    const { output } = await generateText({
      model: lab.model(),
      prompt: '@@say {"a": "b"}',
      output: Output.object({ schema: z.object({ a: z.string() }) }),
    });
    expect(output).toEqual({ a: "b" });
    expect(lab.body).toContain("json_schema");
  });

  it("streams the text when it is complete", async () => {
    const { textStream, usage } = streamText({ model: lab.model(), prompt: "@@say one two" });
    const pieces: string[] = [];
    for await (const text of textStream) pieces.push(text);
    expect(pieces.join("")).toBe("one two");
    expect(await usage).toMatchObject({ outputTokens: 20 });
  });

  it.each([
    [400, 400],
    [429, 429],
    [500, undefined],
  ])("fails with the API's error after its own retries: %i", async (status, statusCode) => {
    const error = await failureOf(generateText({ model: lab.model(), prompt: `@@fail ${status}` }));
    expect(APICallError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ statusCode, isRetryable: false });
  });

  it("is missing_api_key without a login, or without the variable that its configuration names", async () => {
    const without = { OPENAI_API_KEY: undefined };
    for (const env of [lab.env({ ...without, CODEX_HOME: join(lab.tmp, "none") }), lab.env(without)]) {
      const error = await failureOf(generateText({ model: lab.model({ env }), prompt: "hello" }));
      expect(LoadAPIKeyError.isInstance(error)).toBe(true);
      expect(error.message).toMatch(/^missing_api_key: .*codex login/);
      expect(isMissingApiKey(error)).toBe(true);
    }
  });

  it("takes its sandbox from CODEX_SANDBOX", async () => {
    const stub = join(lab.tmp, "codex-stub");
    writeFileSync(stub, '#!/bin/sh\necho "$*|$CODEX_SANDBOX|$DATABASE_URL" >&2\nexit 3', { mode: 0o755 });
    const seen = async (more: Record<string, string>) => {
      const env = lab.env({ CODEX_CLI_PATH: stub, DATABASE_URL: "postgres://secret", ...more });
      return (await failureOf(generateText({ model: lab.model({ env }), prompt: "hello" }))).message;
    };
    expect(await seen({})).toMatch(/--sandbox read-only .*\|\|$/);
    expect(await seen({ CODEX_SANDBOX: "workspace-write" })).toMatch(/--sandbox workspace-write .*\|\|$/);
    expect(await seen({ CODEX_SANDBOX: "none" })).toMatch(/^CODEX_SANDBOX is "none": write read-only, /);
  });

  it("can't run a command or read a file, whatever the model asks for", async () => {
    const marker = join(lab.tmp, "pwned");
    const call = JSON.stringify({ cmd: `touch ${marker}; cat /etc/passwd` });
    const env = lab.env({ CODEX_SANDBOX: "danger-full-access" });
    for (const tool of ["exec_command", "shell", "shell_command", "local_shell"])
      await generateText({ model: lab.model({ env }), prompt: `@@tool ${tool} ${call}\n@@say done @/etc/passwd` });
    expect(existsSync(marker)).toBe(false);
    expect(lab.body).not.toContain("root:x:0:0");
  });

  it("starts nothing and reads nothing of the folders around it, nor the servers of its own configuration", async () => {
    const marker = join(lab.tmp, "pwned");
    const evil = `notify = ["touch", "${marker}"]\n[mcp_servers.evil]\ncommand = "touch"\nargs = ["${marker}"]\n`;
    mkdirSync(join(lab.tmp, ".codex"), { recursive: true });
    writeFileSync(join(lab.tmp, ".codex/config.toml"), evil);
    writeFileSync(join(lab.tmp, "AGENTS.md"), "EVIL INSTRUCTIONS");
    lab.configure(`[mcp_servers."evil one"]\ncommand = "touch"\nargs = ["${marker}"]\n`);
    try {
      expect((await generateText({ model: lab.model(), prompt: "hello" })).text).toBe("You said: hello");
    } finally {
      lab.configure("");
    }
    expect(existsSync(marker)).toBe(false);
    expect(lab.body).not.toContain("EVIL");
  });
});
