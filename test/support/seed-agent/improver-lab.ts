import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LanguageModelV4CallOptions } from "@ai-sdk/provider";
import { MockLanguageModelV4 } from "ai/test";
import { afterEach, beforeEach } from "vitest";
import type { Report, Sources } from "../../../components/seed-agent/program/domain.ts";
import type { Check } from "../../../components/seed-agent/program/hot-reload/checking.ts";
import type { ImproverParts } from "../../../components/seed-agent/program/improve/improver.ts";
import { improver } from "../../../components/seed-agent/program/improve/model-improver.ts";
import type { Signal } from "../../../components/seed-agent/program/live/live.ts";
import { seedPipeline } from "../../../components/seed-agent/program/pipeline/seed-pipeline.ts";
import { readSettings } from "../../../components/seed-agent/program/settings.ts";
import { openStore } from "../../../components/seed-agent/program/store/open.ts";
import type { Store } from "../../../components/seed-agent/program/store/store.ts";
import { silentEvents, versionOf } from "../seed-live.ts";

export const passed: Report = { passed: true, steps: [], fence: "bubblewrap", milliseconds: 1 };
export const rejected: Report = {
  ...passed,
  passed: false,
  steps: [
    {
      ...{ name: "types", outcome: "failed", milliseconds: 1, summary: "1 error" },
      diagnostics: [{ file: "handle.ts", line: 3, message: "no such name" }],
    },
  ],
};
export const fails: Signal = { kind: "error", summary: "GET /b threw", count: 3 };

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
type Reply = string | Error | ((options: LanguageModelV4CallOptions) => Promise<string>);

/** Answers in turn; the last one again and again. Each answer costs 0.1 dollars. */
export function modelOf(...replies: readonly Reply[]): MockLanguageModelV4 {
  let count = 0;
  return new MockLanguageModelV4({
    provider: "claude-cli",
    modelId: "sonnet",
    async doGenerate(options) {
      const reply = replies[Math.min(count, replies.length - 1)] ?? "";
      count += 1;
      if (reply instanceof Error) throw reply;
      const text = typeof reply === "string" ? reply : await reply(options);
      return {
        ...{ content: [{ type: "text", text }], usage, warnings: [] },
        finishReason: { unified: "stop", raw: undefined },
        providerMetadata: { claudeCli: { costUsd: 0.1 } },
      };
    },
  });
}

export const answer = (text: string, more: object = {}) =>
  JSON.stringify({
    summary: `Say ${text}`,
    answers: "same",
    files: [{ path: "handle.ts", content: text }],
    ...more,
  });

export const promptText = (model: MockLanguageModelV4, call = -1) =>
  JSON.stringify(model.doGenerateCalls.at(call)?.prompt);

export interface Lab {
  readonly environment?: Readonly<Record<string, string>>;
  readonly signals?: readonly Signal[];
  readonly sources?: Sources;
  readonly plan?: ImproverParts["plan"];
  readonly fence?: ImproverParts["fence"];
  readonly check?: Check;
  readonly node?: string;
}

/** Gives each test of a file a store of its own, and improvers with a pipeline and a mock of the model. */
export function improverLab() {
  let folder: string;
  let store: Store;
  const ending: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "seed-improve-"));
    store = await openStore({ folder });
  });
  afterEach(async () => {
    for (const end of ending.splice(0)) await end();
    await store.close();
    rmSync(folder, { recursive: true });
  });

  function labOf(model: MockLanguageModelV4, lab: Lab = {}) {
    const { environment = {}, signals = [fails], node = "n1", fence = { name: "bubblewrap" } } = lab;
    const read = readSettings({ SEED_DATA_DIR: folder, ...environment });
    if ("errors" in read) throw new Error(read.errors.join("\n"));
    const missing: string[] = [];
    const events = { ...silentEvents(), missingApiKey: (provider: string) => void missing.push(provider) };
    const first = { ...versionOf("v0"), sources: lab.sources ?? { "handle.ts": "first" } };
    const pipeline = seedPipeline({
      ...{ node, store, events, testMilliseconds: 1000, probationSeconds: 1, keepVersions: 5 },
      codeStore: { active: () => "v0", lastGood: () => "v0", prune: async () => undefined },
      check:
        lab.check ??
        (async ({ sources }) => ({ report: passed, built: { hash: JSON.stringify(sources), bundle: "" } })),
      limits: { memoryMb: 256, callMilliseconds: 1000, startMilliseconds: 1000 },
      isAutomatic: () => environment["SEED_MODE"] === "auto",
      firstVersion: async () => first,
      rollOut: async () => ({ outcome: "active", nodes: [node] }),
    });
    pipeline.start();
    const agent = improver({
      // A shorter interval than the settings allow.
      ...{ node, settings: { ...read.settings, SEED_IMPROVE_SECONDS: 0.05 }, store, pipeline, events, fence, model },
      live: { signals: () => signals },
      async active() {
        const id = await store.activeVersion();
        return (id === undefined ? undefined : await store.version(id)) ?? first;
      },
      plan: lab.plan ?? (async () => undefined),
    });
    ending.push(async () => {
      await agent.stop();
      await pipeline.stop();
    });
    return { agent, pipeline, missing };
  }

  return {
    labOf,
    get folder() {
      return folder;
    },
    get store() {
      return store;
    },
    audited: async (action: string) =>
      (await store.auditLog({ limit: 100 })).filter((entry) => entry.action === action).toReversed(),
  };
}
