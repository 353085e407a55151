/** The data that the parts of the seed agent exchange. It is plain JSON, because it is stored, sent to nodes and served. */
import * as z from "zod/mini";

/** Source text by path: `handle.ts`, `lib/words.ts`, `handle.test.ts`. Paths are relative, with `/`. */
export const sources = z.record(z.string(), z.string());
export type Sources = z.output<typeof sources>;

/** A problem that a check found in a change, for the author of the change: a person or a model. */
const sourceDiagnostic = z.strictObject({
  /** The path in the sources; undefined for the change as a whole. */
  file: z.optional(z.string()),
  /** From 1. */
  line: z.optional(z.number()),
  message: z.string(),
});
export type SourceDiagnostic = z.output<typeof sourceDiagnostic>;

export const reportSteps = ["parse", "imports", "types", "compile", "tests", "former tests", "replay"] as const;
export type ReportStepName = (typeof reportSteps)[number];

const reportStep = z.strictObject({
  name: z.enum(reportSteps),
  outcome: z.enum(["passed", "failed", "skipped"]),
  milliseconds: z.number(),
  /** A count, such as "12 tests" or "40 of 40 answers are the same". */
  summary: z.string(),
  diagnostics: z.array(sourceDiagnostic),
});
export type ReportStep = z.output<typeof reportStep>;

/** The results of the checks and shadow tests of a change. A step runs only if every step before it passed. */
export const report = z.strictObject({
  passed: z.boolean(),
  steps: z.array(reportStep),
  /** How the code was confined: see `FenceName`. */
  fence: z.string(),
  milliseconds: z.number(),
});
export type Report = z.output<typeof report>;

/** An immutable version of the agent's code. */
export const version = z.strictObject({
  /** `v1`, `v2` …: never reused. `v0` is part of the program. */
  id: z.string().check(z.regex(/^v\d+$/)),
  parent: z.optional(z.string()),
  /** See `sourcesHash`. */
  hash: z.string(),
  author: z.string(),
  summary: z.string(),
  /** ISO 8601, UTC. */
  createdAt: z.string(),
  sources,
  /** All modules except the tests, as one CommonJS program. This is what a node runs. */
  bundle: z.string(),
  /** All tests as one CommonJS program; undefined if there are none. */
  testBundle: z.optional(z.string()),
  report: z.optional(report),
});
export type Version = z.output<typeof version>;

/**
 * The states of a change:
 *
 *     queued → checking → waiting (for a person's approval) → approved → rolling-out → active
 *                  ↓         ↓                                              ↓
 *               rejected  rejected                                     rolled-back
 *
 * `failed`: the service itself could not continue. If the node that works on a `checking` or `rolling-out` change dies,
 * another node claims the change.
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

/** A change as a person or the model submits it. */
export const submission = z.strictObject({
  /** The whole new text of each file that changes, or null to delete it. */
  files: z.record(z.string(), z.nullable(z.string())),
  /** What the change does, and why, in a sentence. */
  summary: z.string().check(z.minLength(1), z.maxLength(500)),
  /** The version that the change was written against. It is rejected if another is active. Default: the active one. */
  base: z.optional(z.string()),
  /** `same`: every recorded request must get the same answer. `may differ` always needs a person's approval. */
  answers: z._default(z.enum(["same", "may differ"]), "same"),
});
export type Submission = z.output<typeof submission>;

export const change = z.strictObject({
  ...submission.shape,
  base: z.string(),
  /** `c1`, `c2` … in the order of submission. */
  id: z.string(),
  state: z.enum(changeStates),
  /** Whether a change that passes is activated without a person. Set when it is submitted. */
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
  /** The version that was made of the change, once it has passed its checks. */
  version: z.optional(z.string()),
  report: z.optional(report),
  /** Why the change ended as it did, or what it waits for. */
  reason: z.optional(z.string()),
  /** How often a worker has begun to work on it. */
  attempts: z.number(),
});
export type Change = z.output<typeof change>;

/** An entry of the audit log: a decision, who made it, and why. It is never edited or deleted. */
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
  detail: z.optional(z.string()),
  /** Details for programs: a diff, a report, a prompt's hash, a cost. */
  data: z.optional(z.record(z.string(), z.unknown())),
});
export type AuditEntry = z.output<typeof auditEntry>;

export const nodeRecord = z.strictObject({
  id: z.string(),
  /** `host:port` of the node's control endpoints, as its peers reach it; undefined if it has no peers. */
  address: z.optional(z.string()),
  /** The version that the node runs. */
  active: z.string(),
  /** The version that the node should run; undefined: the fleet's active version. */
  desired: z.optional(z.string()),
  /** Why the node is not healthy; undefined if it is. */
  problem: z.optional(z.string()),
  /** The state of the probation of `active` on this node; undefined if it had none since the start. */
  probation: z.optional(z.enum(["under way", "passed", "failed"])),
  /** A version that the node should run, but could not start or has reverted. `problem` says why. */
  failed: z.optional(z.string()),
  /** By the database's clock, ISO 8601. */
  seenAt: z.string(),
});
export type NodeRecord = z.output<typeof nodeRecord>;

/** A request to the agent, as its code sees it. */
const agentRequest = z.strictObject({
  method: z.string(),
  /** Below `/agent`, begins with `/`. */
  path: z.string(),
  query: z.record(z.string(), z.string()),
  /** With names in lower case; without credentials, cookies and hop-by-hop headers. */
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

/** A request, its answer, and everything that the answer depended on, so that it can be replayed. */
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
