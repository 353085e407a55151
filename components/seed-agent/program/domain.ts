/** What the parts of the seed agent exchange. Plain JSON throughout: it is stored, sent to other nodes, and served. */
import * as z from "zod/mini";

/** Source text by path: `handle.ts`, `lib/words.ts`, `handle.test.ts`. Paths are relative, with `/`. */
export const sources = z.record(z.string(), z.string());
export type Sources = z.output<typeof sources>;

/** Where a check found something, for the author of a change: a person or a model. */
export const sourceDiagnostic = z.strictObject({
  /** The path in the sources; undefined for the change as a whole. */
  file: z.optional(z.string()),
  /** From 1. */
  line: z.optional(z.number()),
  message: z.string(),
});
export type SourceDiagnostic = z.output<typeof sourceDiagnostic>;

export const reportSteps = ["parse", "imports", "types", "compile", "tests", "former tests", "replay"] as const;
export type ReportStepName = (typeof reportSteps)[number];

export const reportStep = z.strictObject({
  name: z.enum(reportSteps),
  outcome: z.enum(["passed", "failed", "skipped"]),
  milliseconds: z.number(),
  /** What was counted, in words: "12 tests", "40 of 40 answers are the same". */
  summary: z.string(),
  diagnostics: z.array(sourceDiagnostic),
});
export type ReportStep = z.output<typeof reportStep>;

/** What the checks and shadow tests of a change found. Each step runs only if those before it passed. */
export const report = z.strictObject({
  passed: z.boolean(),
  steps: z.array(reportStep),
  /** How the code was confined: see `FenceName`. */
  fence: z.string(),
  milliseconds: z.number(),
});
export type Report = z.output<typeof report>;

/** An immutable version of the agent's code: what a code store holds, and a node runs. */
export const version = z.strictObject({
  /** `v1`, `v2` …: never reused. `v0` is the one that the program brings. */
  id: z.string().check(z.regex(/^v\d+$/)),
  parent: z.optional(z.string()),
  /** `sha256` in hex of the canonical JSON of `sources`. */
  hash: z.string(),
  author: z.string(),
  summary: z.string(),
  /** ISO 8601, UTC. */
  createdAt: z.string(),
  sources,
  /** One CommonJS program of all modules but the tests: what a node runs. */
  bundle: z.string(),
  /** One CommonJS program of the tests; undefined without any. */
  testBundle: z.optional(z.string()),
  report: z.optional(report),
});
export type Version = z.output<typeof version>;

/**
 * A change's way:
 *
 *     queued → checking → waiting (for a person's approval) → approved → rolling-out → active
 *                  ↓         ↓                                              ↓
 *               rejected  rejected                                     rolled-back
 *
 * `failed`: the service itself could not go on. A `checking` or `rolling-out` change whose node died is claimed again.
 */
export const changeStates = [
  "queued",
  "checking",
  "waiting",
  "approved",
  "rolling-out",
  "active",
  "rejected",
  "rolled-back",
  "failed",
] as const;
export type ChangeState = (typeof changeStates)[number];
/** The states that a worker claims from. */
export const claimableStates: readonly ChangeState[] = ["queued", "checking", "approved", "rolling-out"];
export const endStates: readonly ChangeState[] = ["active", "rejected", "rolled-back", "failed"];

/** What a person or the model submits. */
export const submission = z.strictObject({
  /** Full new text of each file, or null to delete it; other files are those of the base. */
  files: z.record(z.string(), z.nullable(z.string())),
  /** What it changes and why, in a sentence. */
  summary: z.string().check(z.minLength(1), z.maxLength(500)),
  /** The version that it was written against; if another is active by then, it is rejected. Default: the active one. */
  base: z.optional(z.string()),
  /** `same`: each recorded request must be answered as before. `may differ` always needs a person's approval. */
  answers: z._default(z.enum(["same", "may differ"]), "same"),
});
export type Submission = z.output<typeof submission>;

export const change = z.strictObject({
  ...submission.shape,
  base: z.string(),
  /** `c1`, `c2` … in the order of submission. */
  id: z.string(),
  state: z.enum(changeStates),
  /** Whether a passed change is activated without a person. Decided when it is submitted. */
  activation: z.enum(["by a person", "by itself"]),
  /** `owner`, or `model:<model id>`. */
  author: z.string(),
  /** SHA-256 of the prompt, if a model wrote it. */
  promptHash: z.optional(z.string()),
  /** US dollars, if known. */
  costUsd: z.optional(z.number()),
  submittedAt: z.string(),
  updatedAt: z.string(),
  approvedBy: z.optional(z.string()),
  /** The version that it became, from the moment when it passed its checks. */
  version: z.optional(z.string()),
  report: z.optional(report),
  /** Why it ended as it did, or what it waits for, in words. */
  reason: z.optional(z.string()),
  /** How often a worker has begun it. */
  attempts: z.number(),
});
export type Change = z.output<typeof change>;

/** A decision that was made, by whom, and why. Never edited or deleted. */
export const auditEntry = z.strictObject({
  number: z.number(),
  at: z.string(),
  node: z.string(),
  /** `owner`, `model:<id>`, or `system`. */
  actor: z.string(),
  /** `submitted`, `checked`, `approved`, `rejected`, `activated`, `rolled-back`, `paused`, `proposed`, `budget` … */
  action: z.string(),
  change: z.optional(z.string()),
  version: z.optional(z.string()),
  /** In words. */
  detail: z.optional(z.string()),
  /** What belongs to it: a diff, a report, a prompt's hash, a cost. */
  data: z.optional(z.record(z.string(), z.unknown())),
});
export type AuditEntry = z.output<typeof auditEntry>;

export const nodeRecord = z.strictObject({
  id: z.string(),
  /** `host:port` of its control endpoints as its peers reach it; undefined if it has no peers. */
  address: z.optional(z.string()),
  /** What it runs. */
  active: z.string(),
  /** What it should run; undefined: the fleet's active version. */
  desired: z.optional(z.string()),
  /** Why it is not healthy, in words; undefined if it is. */
  problem: z.optional(z.string()),
  /** How `active` does in its probation on this node; undefined if it has had none since the start. */
  probation: z.optional(z.enum(["under way", "passed", "failed"])),
  /** The version that it should run but could not start, or took back by itself; `problem` says why. */
  failed: z.optional(z.string()),
  /** By the database's clock, ISO 8601. */
  seenAt: z.string(),
});
export type NodeRecord = z.output<typeof nodeRecord>;

/** A request to the agent, as its code sees it. */
export const agentRequest = z.strictObject({
  method: z.string(),
  /** Below `/agent`, begins with `/`. */
  path: z.string(),
  query: z.record(z.string(), z.string()),
  /** Lower case; without credentials, cookies and hop-by-hop headers. */
  headers: z.record(z.string(), z.string()),
  body: z.string(),
});
export type AgentRequest = z.output<typeof agentRequest>;

export const agentResponse = z.strictObject({
  status: z.number().check(z.gte(200), z.lte(599)),
  headers: z._default(z.record(z.string(), z.string()), {}),
  body: z._default(z.string(), ""),
});
export type AgentResponse = z.output<typeof agentResponse>;

/** A request that was answered, with all that the answer depended on, so that it can be answered again. */
export const recording = z.strictObject({
  id: z.string(),
  at: z.string(),
  version: z.string(),
  request: agentRequest,
  /** What `context.now()` returned, in ms since 1970. */
  now: z.number(),
  /** Seeds `context.random()`. */
  seed: z.number(),
  /** What `context.state.get` returned, by key, before the request changed it. */
  state: z.record(z.string(), z.nullable(z.string())),
  response: agentResponse,
  milliseconds: z.number(),
});
export type Recording = z.output<typeof recording>;
