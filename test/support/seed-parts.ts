import type {
  AgentRequest,
  AgentResponse,
  AuditEntry,
  Change,
  Version,
} from "../../components/seed-agent/program/domain.ts";
import { Conflict, NotFound } from "../../components/seed-agent/program/pipeline/pipeline.ts";
import type { SeedServerParts } from "../../components/seed-agent/program/server/parts.ts";
import { readSettings } from "../../components/seed-agent/program/settings.ts";

export const controlToken = "control-token-of-the-test";
const metricsToken = "metrics-token-of-the-test";
export const asOwner = { authorization: `Bearer ${controlToken}` };
export const asMetrics = { authorization: `Bearer ${metricsToken}` };

const firstVersion: Version = {
  id: "v0",
  hash: "0".repeat(64),
  author: "owner",
  summary: "The first",
  createdAt: "2026-01-01T00:00:00.000Z",
  sources: { "handle.ts": "export default () => ({ status: 200 });\n" },
  bundle: "module.exports = {};\n",
};

export interface LabParts extends SeedServerParts {
  readonly handled: AgentRequest[];
  readonly logged: { readonly level: string; readonly message: string; readonly fields: unknown }[];
  readonly changes: Change[];
}

/**
 * In-memory stand-ins of the parts that the server works with: small, but with answers of the right form.
 *
 * @param handle the agent; by default it answers with the request as JSON
 */
export function seedParts({
  environment = {},
  handle = echo,
  ...parts
}: {
  readonly environment?: Readonly<Record<string, string>>;
  readonly handle?: (request: AgentRequest) => AgentResponse | Promise<AgentResponse>;
} & Partial<SeedServerParts> = {}): LabParts {
  const read = readSettings({
    SEED_CONTROL_TOKEN: controlToken,
    SEED_METRICS_TOKEN: metricsToken,
    ...environment,
  });
  if ("errors" in read) throw new Error(read.errors.join("\n"));
  const handled: AgentRequest[] = [];
  const logged: LabParts["logged"] = [];
  const changes: Change[] = [];
  const entries: AuditEntry[] = [];
  let paused = false;
  const at = "2026-01-01T00:00:00.000Z";
  const find = (id: string): Change => {
    const found = changes.find((change) => change.id === id);
    if (found === undefined) throw new NotFound(`There is no change ${id}.`);
    return found;
  };
  const decide = async (id: string, state: Change["state"], reason: string | undefined): Promise<Change> => {
    const change = find(id);
    const decided = { ...change, state, ...(reason === undefined ? {} : { reason }) };
    changes[changes.indexOf(change)] = decided;
    return decided;
  };
  const add = (change: Pick<Change, "files" | "summary" | "answers" | "author" | "activation">): Change => {
    const id = `c${changes.length + 1}`;
    const added: Change = {
      ...{ ...change, id, base: "v0", state: "queued", submittedAt: at, updatedAt: at, attempts: 0 },
    };
    changes.unshift(added);
    entries.unshift({
      number: entries.length + 1,
      at,
      node: "n1",
      actor: change.author,
      action: "submitted",
      change: id,
    });
    return added;
  };
  const again = async (summary: string) =>
    add({ files: {}, summary, answers: "same", author: "owner", activation: "by itself" });
  const unused = (): never => {
    throw new Error("the server does not use this");
  };
  return {
    handled,
    logged,
    changes,
    settings: read.settings,
    release: "1.2.3",
    firstVersion: async () => firstVersion,
    fence: { name: "permission", reason: "bwrap is not installed" },
    live: {
      active: "v0",
      async handle(request) {
        handled.push(request);
        return handle(request);
      },
      activate: unused,
      keep: unused,
      revert: unused,
      probation: () => undefined,
      problem: () => undefined,
      signals: () => [],
      plan: unused,
      checks: async () => [],
      memory: async () => 0,
      close: async () => {},
    },
    pipeline: {
      async submit(submission, { author, activation }) {
        if (submission.base !== undefined && submission.base !== "v0") throw new Conflict("v0 is active, so use it.");
        return add({ ...submission, author, activation });
      },
      approve: (id, _by, reason) => decide(id, "approved", reason),
      reject: (id, _by, reason) => decide(id, "rejected", reason),
      async activateVersion(id) {
        if (id !== "v0") throw new NotFound(`There is no version ${id}.`);
        return again(`Activate ${id} again`);
      },
      rollBack: async () => again("Roll back"),
      async diff(id) {
        find(id);
        return "--- a/handle.ts\n+++ b/handle.ts\n";
      },
      async pause() {
        paused = true;
      },
      lastBeat: () => undefined,
      async resume() {
        paused = false;
      },
      start: () => {},
      stop: async () => {},
    },
    store: {
      kind: "sqlite",
      version: async () => undefined,
      versions: async () => [],
      change: async (id) => changes.find((change) => change.id === id),
      changes: async ({ states, limit }) =>
        changes.filter(({ state }) => states === undefined || states.includes(state)).slice(0, limit),
      countChanges: async (states) => changes.filter(({ state }) => states.includes(state)).length,
      auditLog: async ({ limit, before, change }) =>
        entries
          .filter((entry) => before === undefined || entry.number < before)
          .filter((entry) => change === undefined || entry.change === change)
          .slice(0, limit),
      setting: async (name) => (name === "paused" && paused ? "true" : undefined),
      check: async () => {},
      nodes: async () => [],
      recordings: async () => [],
      activeVersion: async () => undefined,
      now: async () => Date.parse(at),
      subscribe: () => () => {},
      close: async () => {},
      addVersion: unused,
      pruneVersions: unused,
      submit: unused,
      claim: unused,
      renewClaim: unused,
      updateChange: unused,
      audit: unused,
      report: unused,
      setDesired: unused,
      record: unused,
      stateGet: unused,
      stateSet: unused,
      setSetting: unused,
      leading: unused,
    },
    cluster: {
      node: "n1",
      peers: () => [],
      problem: () => undefined,
      view: () => ({ nodes: [{ id: "n1", active: "v0", seenAt: at }] }),
      start: () => {},
      stop: async () => {},
    },
    events: {
      hotReload: () => () => {},
      request: () => {},
      missingApiKey: () => {},
      decision: () => {},
      gauge: () => {},
      log: (level, message, fields) => void logged.push({ level, message, fields }),
      exposition: async () => ({ contentType: "text/plain; version=0.0.4; charset=utf-8", body: "seed_agent_up 1\n" }),
    },
    health: {
      close: () => {},
      quick: () => ({ status: "ok", node: "n1", version: "v0" }),
      deep: async () => ({
        ...{ status: "ok", node: "n1", version: "v0" },
        checks: [{ name: "database", ok: true, milliseconds: 1 }],
      }),
    },
    ...parts,
  };
}

function echo(request: AgentRequest): AgentResponse {
  return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(request) };
}
