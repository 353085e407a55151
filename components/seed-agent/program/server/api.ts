/** The bodies of the endpoints, for the server, its OpenAPI document, and the CLI's client. */
import * as z from "zod/mini";
import { auditEntry, change, changeStates, nodeRecord, version } from "../domain.ts";

/**
 * The control endpoints, below `/control`, which all require `Authorization: Bearer <SEED_CONTROL_TOKEN>`:
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
 * | POST /versions/:id/activate | `{ reason? }` → `change`: activates an old version again, by the same roll-out |
 * | POST /rollback | `{ reason? }` → `change`: activates the version before the active one |
 * | POST /pause, /resume | → `status` |
 * | POST /improve | `{ goal? }` → `{ outcome, reason, change? }`: makes one proposal now |
 * | GET /audit?limit=&before=&change= | → `{ entries }` |
 *
 * Nodes call GET /challenge and POST /hello below `/cluster` (see `cluster/`). GET /health and /openapi.json need no token. GET
 * /health/deep and /metrics need the control or the metrics token, unless SEED_METRICS_PUBLIC is set. `/agent/*` is the agent.
 */

export const health = z.object({
  status: z.enum(["ok", "degraded"]),
  node: z.string(),
  version: z.string(),
});

export type Health = z.output<typeof health>;

const deepCheck = z.object({
  name: z.string(),
  ok: z.boolean(),
  /** A check that does not apply, such as peers for a single node, is ok, and says so here. */
  detail: z.optional(z.string()),
  /** The node can serve although the check fails, so the answer is not 503. */
  advisory: z.optional(z.boolean()),
  milliseconds: z.number(),
});
export const deepHealth = z.object({ ...health.shape, checks: z.array(deepCheck) });
export type DeepCheck = z.output<typeof deepCheck>;
export type DeepHealth = z.output<typeof deepHealth>;

const versionSummary = z.omit(version, { sources: true, bundle: true, testBundle: true });

export const status = z.object({
  node: z.string(),
  /** The program's own version, from its release. */
  release: z.string(),
  active: z.string(),
  paused: z.boolean(),
  mode: z.enum(["off", "propose", "auto"]),
  /** Why `mode` is less than `SEED_MODE`. */
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

/** The codes of errors, one for each status. */
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

/** The reason is for the audit log. */
export const reasonBody = z.strictObject({ reason: z.optional(z.string().check(z.minLength(1), z.maxLength(500))) });

export const improveBody = z.strictObject({ goal: z.optional(z.string().check(z.minLength(1), z.maxLength(20_000))) });
export const improvement = z.object({
  outcome: z.enum(["submitted", "nothing", "busy", "over budget", "missing_api_key", "failed"]),
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

/** The body of every error. */
export const problem = z.object({
  /** For programs. */
  code: z.enum(problemCodes),
  /** For people: the problem, and often the remedy. */
  message: z.string(),
});
