import { generateText } from "ai";
import { afterEach, describe, expect, it } from "vitest";
import { isMissingApiKey } from "../../components/models/errors.ts";
import { filesHolding } from "../support/files-holding.ts";
import { failureOf, type ModelLab, modelKey } from "../support/model-lab.ts";

/**
 * The contract of every language model that runs a CLI.
 *
 * @param attempts how many requests the CLI may send before it reports a rejected key
 */
export function describeLanguageModel(lab: ModelLab, { attempts }: { readonly attempts: number }): void {
  // Whatever a test does, no process and no file is left.
  afterEach(async () => {
    await expect.poll(() => lab.processes()).toEqual([]);
    expect(lab.leftovers()).toEqual([]);
  });

  describe(`a language model that runs ${lab.name}`, () => {
    it("is missing_api_key when the API rejects the key, without the CLI's retries", async () => {
      const before = lab.api.prompts().length;
      const error = await failureOf(generateText({ model: lab.model(), prompt: "@@fail 401" }));
      expect(error).toMatchObject({ statusCode: 401, isRetryable: false });
      expect(isMissingApiKey(error)).toBe(true);
      expect(lab.api.prompts().length - before).toBeLessThanOrEqual(attempts);
    });

    it("ends a call without an answer at its time limit", async () => {
      const model = lab.model({ timeoutSeconds: 3 });
      const error = await failureOf(generateText({ model, prompt: "@@hang headers" }));
      expect(error).toMatchObject({ message: `${lab.name}: took longer than 3 seconds`, isRetryable: false });
    });

    it("rejects with an AbortError when the caller aborts", async () => {
      const stop = new AbortController();
      const asked = lab.api.prompts().length;
      const running = failureOf(generateText({ model: lab.model(), prompt: "@@hang", abortSignal: stop.signal }));
      await lab.api.asked(asked + 1);
      stop.abort();
      expect(await running).toMatchObject({ name: "AbortError" });
    });

    it("shows the key and the system prompt in no argument, and the key in no file", async () => {
      const asked = lab.api.prompts().length;
      const system = "The system prompt of this call.";
      const running = generateText({ model: lab.model(), system, prompt: "@@slow 500 one two three" });
      await lab.api.asked(asked + 1);
      const seen = lab.processes();
      expect(seen.length).toBeGreaterThan(0);
      for (const secret of [modelKey, system]) expect(seen.join("\n")).not.toContain(secret);
      await running;
      expect(filesHolding(modelKey, lab.home, lab.tmp)).toEqual([]);
    });
  });
}
