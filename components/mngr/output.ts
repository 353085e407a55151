import * as z from "zod/mini";
import { gitReason } from "../git/reason.ts";

/** The output of mngr 0.3.0, parsed. */

/** How to reach the host of a remote agent. */
const sshSchema = z.object({
  user: z.string(),
  host: z.string(),
  port: z.number(),
  key_path: z.string(),
  known_hosts_path: z.optional(z.nullable(z.string())),
});

export type SshAccess = z.infer<typeof sshSchema>;

/** An agent in the output of `mngr list`. */
const agentSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** RUNNING, WAITING, REPLACED, DONE, STOPPED, UNKNOWN, … */
  state: z.string(),
  labels: z._default(z.record(z.string(), z.string()), {}),
  plugin: z._default(z.record(z.string(), z.unknown()), {}),
  agent_activity_time: z.optional(z.nullable(z.string())),
  user_activity_time: z.optional(z.nullable(z.string())),
  host: z.optional(
    z.object({
      id: z.string(),
      name: z._default(z.string(), ""),
      provider_name: z.string(),
      /** RUNNING; STOPPED, PAUSED or CRASHED if it has ended. */
      state: z.optional(z.nullable(z.string())),
      ssh: z.optional(z.nullable(sshSchema)),
      snapshots: z._default(z.array(z.object({ id: z.string(), created_at: z.string() })), []),
    }),
  ),
});

export const listSchema = z.object({ agents: z.array(agentSchema), errors: z._default(z.array(z.unknown()), []) });

export const execSchema = z.object({
  results: z.array(z.object({ agent: z.string(), stdout: z.string(), stderr: z.string(), success: z.boolean() })),
  failed_agents: z._default(z.array(z.object({ agent: z.string(), error: z.string() })), []),
});

export type Agent = z.infer<typeof agentSchema>;

/** The output of a command for one agent; `agent` is its name. */
export type ExecResult = z.infer<typeof execSchema>["results"][number];

/** The result of `mngr create --format jsonl`. */
export type Created =
  | { readonly kind: "created"; readonly agentId: string; readonly hostId: string | undefined }
  | { readonly kind: "error"; readonly errorClass: string; readonly message: string };

const createEvent = z.union([
  z.object({ event: z.literal("created"), agent_id: z.string(), host_id: z.optional(z.string()) }),
  z.object({ event: z.literal("error"), error_class: z.string(), message: z.string() }),
]);

/** @param stdout its output so far @returns undefined until it contains the result */
export function createdFrom(stdout: string): Created | undefined {
  for (const line of stdout.split("\n").reverse()) {
    const parsed = createEvent.safeParse(parseJson(line));
    if (!parsed.success) continue;
    const event = parsed.data;
    if (event.event === "created") return { kind: "created", agentId: event.agent_id, hostId: event.host_id };
    return { kind: "error", errorClass: event.error_class, message: event.message };
  }
  return undefined;
}

/** The output line with the reason: mngr's `Error: …`, else git's `fatal: …`, else the last line with words. */
export function errorLine(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => /\w/.test(line));
  const at = lines.findIndex((line) => /^Error: /.test(line));
  return reasonOf(at < 0 ? (gitReason(lines.join("\n")) ?? "") : lines.slice(at).join("\n"));
}

/** The reason in a multi-line error: its first line; if that only repeats git's progress, git's own error. */
export function reasonOf(message: string): string {
  const lines = message.split("\n").filter((line) => line.trim() !== "");
  const first = lines[0]?.replace(/^Error: /, "").trim() || "no message";
  const [, before] = /^(.*?)Preparing worktree \(/.exec(first) ?? [];
  if (before === undefined || lines.length === 1) return first;
  // A failing hook prints its reason last.
  return `${before}${gitReason(lines.slice(1).join("\n"))}`;
}

/** @returns undefined for invalid JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
