import * as z from "zod/mini";
import { asError } from "../lib/as-error.ts";
import { upCommand } from "../lib/own-commands.ts";
import {
  type AuditEntry,
  type Change,
  type ChangeState,
  change,
  type submission as submissionSchema,
  version,
} from "./program/domain.ts";
import {
  auditLog,
  changeDiff,
  changeList,
  type DeepHealth,
  deepHealth,
  improvement,
  problem,
  type Status,
  status,
  versionList,
} from "./program/server/api.ts";
import { isLoopbackHost } from "./program/server/browser-check.ts";

/** A seed agent's control endpoints. Every response is validated, but its texts are untrusted. */
export interface SeedClient {
  status(): Promise<Status>;
  submit(submission: z.input<typeof submissionSchema>): Promise<Change>;
  changes(filter?: { readonly state?: ChangeState; readonly limit?: number }): Promise<readonly Change[]>;
  change(id: string): Promise<Change>;
  /** In unified format. */
  diff(id: string): Promise<string>;
  approve(id: string, reason?: string): Promise<Change>;
  reject(id: string, reason?: string): Promise<Change>;
  versions(limit?: number): Promise<z.output<typeof versionList>["versions"]>;
  version(id: string): Promise<z.output<typeof version>>;
  activate(id: string, reason?: string): Promise<Change>;
  rollBack(reason?: string): Promise<Change>;
  pause(): Promise<Status>;
  resume(): Promise<Status>;
  /** Takes as long as the model does. */
  improve(goal?: string): Promise<z.output<typeof improvement>>;
  audit(filter?: {
    readonly limit?: number;
    readonly before?: number;
    readonly change?: string;
  }): Promise<readonly AuditEntry[]>;
  health(): Promise<DeepHealth>;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
}

export interface SeedClientOptions {
  /** The origin of its endpoints: `http://127.0.0.1:4000`. */
  readonly url: string;
  /** SEED_CONTROL_TOKEN. */
  readonly token: string;
  /** The time limit of one request. Default: 30 s; for `improve` 20 minutes. */
  readonly timeoutMilliseconds?: number;
  readonly signal?: AbortSignal;
}

export type SeedClientErrorCode =
  | z.output<typeof problem>["code"]
  /** No response, or not in time. */
  | "unreachable"
  /** The response is not a seed agent's, or is of another release. */
  | "not understood";

/** A request failed. The message contains the remedy, and no token. */
export class SeedClientError extends Error {
  override readonly name = "SeedClientError";
  readonly code: SeedClientErrorCode;

  constructor(code: SeedClientErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const maxResponseLength = 64 * 1024 * 1024;
const improveMilliseconds = 20 * 60_000;

/** @throws SeedClientError if the token would be sent in clear to another machine */
export function openSeedAgent(options: SeedClientOptions): SeedClient {
  const call = caller(options);
  const get = <Schema extends z.ZodMiniType>(path: string, schema: Schema) => call("GET", path, schema);
  const post = <Schema extends z.ZodMiniType>(path: string, schema: Schema, body: object = {}) =>
    call("POST", path, schema, { body });
  const because = (reason: string | undefined) => (reason === undefined ? {} : { reason });
  return {
    status: () => get("/control/status", status),
    submit: (submission) => post("/control/changes", change, submission),
    changes: async (filter = {}) => (await get(`/control/changes${queryOf(filter)}`, changeList)).changes,
    change: (id) => get(`/control/changes/${encodeURIComponent(id)}`, change),
    diff: async (id) => (await get(`/control/changes/${encodeURIComponent(id)}/diff`, changeDiff)).diff,
    approve: (id, reason) => post(`/control/changes/${encodeURIComponent(id)}/approve`, change, because(reason)),
    reject: (id, reason) => post(`/control/changes/${encodeURIComponent(id)}/reject`, change, because(reason)),
    versions: async (limit) => (await get(`/control/versions${queryOf({ limit })}`, versionList)).versions,
    version: (id) => get(`/control/versions/${encodeURIComponent(id)}`, version),
    activate: (id, reason) => post(`/control/versions/${encodeURIComponent(id)}/activate`, change, because(reason)),
    rollBack: (reason) => post("/control/rollback", change, because(reason)),
    pause: () => post("/control/pause", status),
    resume: () => post("/control/resume", status),
    improve: (goal) =>
      call("POST", "/control/improve", improvement, {
        body: goal === undefined ? {} : { goal },
        timeoutMilliseconds: improveMilliseconds,
      }),
    audit: async (filter = {}) => (await get(`/control/audit${queryOf(filter)}`, auditLog)).entries,
    health: () => call("GET", "/health/deep", deepHealth, { accepted: [200, 503] }),
    metrics: () => call("GET", "/metrics", z.string(), { isText: true }),
  };
}

interface CallOptions {
  readonly body?: object;
  readonly timeoutMilliseconds?: number;
  readonly accepted?: readonly number[];
  readonly isText?: boolean;
}

function caller({ url, token, timeoutMilliseconds = 30_000, signal }: SeedClientOptions) {
  const origin = originOf(url);
  return async <Schema extends z.ZodMiniType>(
    method: "GET" | "POST",
    path: string,
    schema: Schema,
    { body, accepted = [200, 201], isText = false, ...more }: CallOptions = {},
  ): Promise<z.output<Schema>> => {
    const timeout = AbortSignal.timeout(more.timeoutMilliseconds ?? timeoutMilliseconds);
    let answer: { readonly status: number; readonly text: string };
    try {
      const response = await fetch(`${origin}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : jsonType) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // A redirect must not send the token to another host.
        redirect: "manual",
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      });
      answer = { status: response.status, text: await textOf(response) };
    } catch (error) {
      if (error instanceof SeedClientError) throw error;
      const remedy = `Start it with \`${upCommand()}\`, or read its log`;
      throw new SeedClientError("unreachable", `${origin} does not answer: ${reasonOf(error)}. ${remedy}`);
    }
    const { status: code, text } = answer;
    const data = isText && accepted.includes(code) ? text : jsonOf(text);
    if (accepted.includes(code)) {
      const parsed = schema.safeParse(data);
      if (parsed.success) return parsed.data;
      // An error can have a status that is accepted here: 503 of /health/deep.
      if (!problem.safeParse(data).success) throw notUnderstood(origin, path, firstIssue(parsed.error));
    }
    const rejected = problem.safeParse(data);
    if (!rejected.success) throw notUnderstood(origin, path, `its status is ${code}`);
    const remedy = rejected.data.code === "unauthorized" ? ` ${unauthorizedRemedy()}` : "";
    throw new SeedClientError(rejected.data.code, `${rejected.data.message}${remedy}`);
  };
}

const jsonType = { "content-type": "application/json" };

function unauthorizedRemedy(): string {
  return `The service may have another token than the stack: run \`${upCommand()}\`, which gives it the stack's.`;
}

function notUnderstood(origin: string, path: string, reason: string): SeedClientError {
  return new SeedClientError(
    "not understood",
    `The response of ${origin}${path} is not one of this release: ${reason}. Another program may use the port; if not, run \`${upCommand()}\` to deploy this release.`,
  );
}

function firstIssue({ issues: [issue] }: z.core.$ZodError): string {
  return `${issue?.path.map(String).join(".") || "it"} has an unexpected form`;
}

function originOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username !== "" || parsed.pathname !== "/") {
    throw new SeedClientError("invalid", `${JSON.stringify(url)} is not an origin such as http://127.0.0.1:4000.`);
  }
  if (parsed.protocol === "http:" && !isLoopbackHost(parsed.host)) {
    throw new SeedClientError(
      "invalid",
      `${parsed.origin} would get the control token unencrypted. Use https, or a tunnel to 127.0.0.1.`,
    );
  }
  return parsed.origin;
}

async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > maxResponseLength)
      throw new SeedClientError("not understood", "The response is larger than any response of a seed agent.");
  }
  return text + decoder.decode();
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** undici hides the reason in `cause`. */
function reasonOf(thrown: unknown): string {
  const error = asError(thrown);
  if (error.name === "TimeoutError") return "it takes too long";
  if (error.name === "AbortError") return "interrupted";
  return error.cause === undefined ? error.message : asError(error.cause).message || error.message;
}

function queryOf(values: Readonly<Record<string, string | number | undefined>>): string {
  const pairs = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return pairs.length === 0 ? "" : `?${new URLSearchParams(Object.fromEntries(pairs))}`;
}
