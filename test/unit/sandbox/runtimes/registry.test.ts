import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkRuntime, loadRuntime, runtimes } from "../../../../components/sandbox/runtimes/registry.ts";
import { StubRuntime } from "../../../../components/sandbox/runtimes/stub.ts";

const folder = mkdtempSync(join(tmpdir(), "runtimes-"));
afterAll(() => rmSync(folder, { recursive: true }));

function module(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const own = "export default () => ({ async initialize() {}, async execute() { return 'mine' }, async terminate() {} })";

describe("loadRuntime", () => {
  it("loads a runtime by its name", async () => {
    expect((await loadRuntime("stub"))()).toBeInstanceOf(StubRuntime);
  });

  it("loads a person's own module, in JavaScript and in TypeScript", async () => {
    for (const path of [module("own.mjs", own), module("own.ts", `const a: number = 1;\n${own}`)]) {
      const runtime = (await loadRuntime(path))();
      const context = { repo: "o/r", branch: "main", sessionId: "s", memoryPath: "/m" };
      expect(await runtime.execute("hello", context)).toBe("mine");
    }
  });

  it.each([
    ["an unknown name", "clod", `there is no runtime "clod": use `],
    ["a relative path", "./own.mjs", `there is no runtime "./own.mjs"`],
    ["a name of Object's own", "constructor", `there is no runtime "constructor"`],
    ["a missing module", join(folder, "none.mjs"), "none.mjs does not exist"],
    ["a folder", folder, "can't be loaded"],
    ["a module that throws", module("throws.mjs", "throw new Error('broken')"), "can't be loaded: broken"],
    ["a module that is not JavaScript", module("text.mjs", "an agent"), "can't be loaded"],
    ["no default export", module("none-exported.mjs", "export const a = 1"), "no default export that is a function"],
    ["an object", module("object.mjs", "export default {}"), "no default export that is a function"],
  ])("says what is wrong with %s", async (_, runtime, message) => {
    await expect(loadRuntime(runtime)).rejects.toMatchObject({
      name: "RuntimeError",
      code: "runtime_failed",
      message: expect.stringContaining(message),
    });
  });

  it("says that a factory throws, or makes something else", async () => {
    const throwing = await loadRuntime(module("factory-throws.mjs", "export default () => { throw new Error('no') }"));
    expect(throwing).toThrow("failed to create an instance: no");
    const wrong = await loadRuntime(module("wrong.mjs", "export default () => ({ execute() {} })"));
    expect(wrong).toThrow("without the methods initialize, execute and terminate");
  });
});

describe("checkRuntime", () => {
  const check = (runtime: string, config = {}) => checkRuntime(runtime, config, ["runtime"], ["runtime_config"]);

  it("accepts every runtime without options, and any options of a person's own module", () => {
    for (const name of Object.keys(runtimes)) expect(check(name)).toEqual([]);
    expect(check("/mine.ts", { anything: 1 })).toEqual([]);
  });

  it("reports an unknown runtime, with what was meant", () => {
    expect(check("stab")).toMatchObject([{ path: ["runtime"], remedy: 'did you mean "stub"?' }]);
    expect(check("toString")).toMatchObject([{ message: 'there is no runtime "toString"' }]);
  });

  it.each([
    ["claude", { models: "opus" }, ["runtime_config", "models"], 'did you mean "model"?'],
    ["claude", { budget_usd: "5" }, ["runtime_config", "budget_usd"], "write budget_usd = 5"],
    ["claude", { timeout_seconds: 0 }, ["runtime_config", "timeout_seconds"], "write 1 seconds or more"],
    ["codex", { max_turns: 5 }, ["runtime_config", "max_turns"], "its keys are model, reasoning_effort"],
    ["codex", { reasoning_effort: "hihg" }, ["runtime_config", "reasoning_effort"], "write reasoning_effort ="],
    ["codex", { base_url: "https://me:secret@host" }, ["runtime_config", "base_url"], ""],
    ["claude", { base_url: "file:///etc" }, ["runtime_config", "base_url"], ""],
  ])("reports an invalid option of %s: %j", (runtime, config, path, remedy) => {
    expect(check(runtime, config)).toMatchObject([
      { path, remedy: expect.stringContaining(remedy), severity: "error" },
    ]);
  });

  it("does not repeat a secret in a URL", () => {
    expect(JSON.stringify(check("codex", { base_url: "https://me:secret@host" }))).not.toContain("secret");
  });

  it("reports options of the stub", () => {
    expect(check("stub", { model: "x" })).toMatchObject([{ path: ["runtime_config", "model"], severity: "error" }]);
  });
});
