/** The control endpoints' bodies: the server, its OpenAPI document, and the CLI's client have them from here. */
import * as z from "zod/mini";
import { auditEntry, change, nodeRecord, report, submission, version } from "../domain.ts";

export const health = z.object({
  status: z.enum(["ok", "degraded"]),
  node: z.string(),
  version: z.string(),
});

export const deepCheck = z.object({
  name: z.string(),
  ok: z.boolean(),
  /** A check that does not apply here, such as peers of a single node, is ok and says so. */
  detail: z.optional(z.string()),
  milliseconds: z.number(),
});
export const deepHealth = z.object({ ...health.shape, checks: z.array(deepCheck) });
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

/** All errors of the control endpoints. */
export const problem = z.object({
  /** For programs: `unauthorized`, `not found`, `conflict`, `invalid`, `unavailable`. */
  code: z.string(),
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
 * | POST /improve | `{ goal? }` → `{ outcome, change? }`: one proposal now |
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
