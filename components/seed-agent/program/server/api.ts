/** The control endpoints' bodies: the server, its OpenAPI document, and the CLI's client have them from here. */
import * as z from "zod/mini";
import { auditEntry, change, changeStates, nodeRecord, report, submission, version } from "../domain.ts";

export const health = z.object({
  status: z.enum(["ok", "degraded"]),
  node: z.string(),
  version: z.string(),
});

export type Health = z.output<typeof health>;

export const deepCheck = z.object({
  name: z.string(),
  ok: z.boolean(),
  /** A check that does not apply here, such as peers of a single node, is ok and says so. */
  detail: z.optional(z.string()),
  /** Its failure does not keep the node from serving, and does not make the answer 503. */
  advisory: z.optional(z.boolean()),
  milliseconds: z.number(),
});
export const deepHealth = z.object({ ...health.shape, checks: z.array(deepCheck) });
export type DeepCheck = z.output<typeof deepCheck>;
export type DeepHealth = z.output<typeof deepHealth>;

export const versionSummary = z.omit(version, { sources: true, bundle: true, testBundle: true });

export const status = z.object({
  node: z.string(),
  /** The program's own version, from its release. */
  release: z.string(),
  active: z.string(),
  paused: z.boolean(),
  mode: z.enum(["off", "propose", "auto"]),
  /** Why `mode` is less than what was asked for, in words. */
  modeReason: z.optional(z.string()),
  fence: z.object({ name: z.string(), reason: z.optional(z.string()) }),
  store: z.enum(["sqlite", "postgres"]),
  queue: z.number(),
  probation: z.optional(
    z.object({
      version: z.string(),
      former: z.string(),
      state: z.enum(["under way", "passed", "failed"]),
      reason: z.optional(z.string()),
      requests: z.number(),
      errors: z.number(),
    }),
  ),
  nodes: z.array(nodeRecord),
  problem: z.optional(z.string()),
  budget: z.object({
    changesToday: z.number(),
    changesPerDay: z.number(),
    usdToday: z.number(),
    usdPerDay: z.number(),
  }),
});
export type Status = z.output<typeof status>;

/** A code for each status of an error. */
export const problemCodes = [
  "invalid",
  "unauthorized",
  "forbidden",
  "not found",
  "method not allowed",
  "conflict",
  "too large",
  "unsupported media type",
  "too many attempts",
  "internal",
  "bad answer",
  "unavailable",
  "timeout",
  "full",
] as const;

export const changeList = z.object({ changes: z.array(change) });
export const changeDiff = z.object({ diff: z.string() });
export const versionList = z.object({ versions: z.array(versionSummary) });
export const auditLog = z.object({ entries: z.array(auditEntry) });

/** Why, in words, for the audit log. */
export const reasonBody = z.strictObject({ reason: z.optional(z.string().check(z.minLength(1), z.maxLength(500))) });

export const improveBody = z.strictObject({ goal: z.optional(z.string().check(z.minLength(1), z.maxLength(20_000))) });
export const improvement = z.object({
  outcome: z.enum(["submitted", "nothing", "busy", "over budget", "missing_api_key", "failed"]),
  /** In words. */
  reason: z.string(),
  change: z.optional(change),
});

const limit = (fallback: number) => z._default(z.coerce.number().check(z.int(), z.gte(1), z.lte(1000)), fallback);
export const changesQuery = z.strictObject({ state: z.optional(z.enum(changeStates)), limit: limit(20) });
export const versionsQuery = z.strictObject({ limit: limit(20) });
export const auditQuery = z.strictObject({
  limit: limit(50),
  before: z.optional(z.coerce.number().check(z.int(), z.gte(1))),
  change: z.optional(z.string().check(z.regex(/^c\d{1,15}$/))),
});
export const changeParams = z.object({ id: z.string().check(z.regex(/^c\d{1,15}$/)) });
export const versionParams = z.object({ id: z.string().check(z.regex(/^v\d{1,15}$/)) });

/** All errors, of every endpoint. */
export const problem = z.object({
  /** For programs. */
  code: z.enum(problemCodes),
  /** For people: what is wrong, and what to do. */
  message: z.string(),
});

/**
 * The control endpoints, below `/control`, all behind `Authorization: Bearer <SEED_CONTROL_TOKEN>`:
 *
 * | method and path | body → answer |
 * |---|---|
 * | GET /status | → `status` |
 * | POST /changes | `submission` → `change` (201) |
 * | GET /changes?state=&limit= | → `{ changes }` |
 * | GET /changes/:id | → `change` |
 * | GET /changes/:id/diff | → `{ diff }`, unified |
 * | POST /changes/:id/approve, /reject | `{ reason? }` → `change` |
 * | GET /versions?limit= | → `{ versions }` |
 * | GET /versions/:id | → `version` |
 * | POST /versions/:id/activate | → `change`: an old version again, through the same roll-out |
 * | POST /rollback | `{ reason? }` → `change`: the version before the active one |
 * | POST /pause, /resume | → `status` |
 * | POST /improve | `{ goal? }` → `{ outcome, reason, change? }`: one proposal now |
 * | GET /audit?limit=&before=&change= | → `{ entries }` |
 *
 * Between nodes, below `/cluster`: GET /challenge, POST /hello (`cluster/`). Open: GET /health, /openapi.json. GET
 * /health/deep and /metrics need the control or the metrics token, unless they are opened. `/agent/*` is the agent itself.
 */
export const controlBodies = {
  submission,
  change,
  report,
  version,
  versionSummary,
  auditEntry,
  status,
  problem,
} as const;
