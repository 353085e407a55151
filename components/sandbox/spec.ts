import * as z from "zod/mini";

/** Where a sandbox can run. */
export const sandboxProviders = ["local", "docker", "modal"] as const;
export type SandboxProviderName = (typeof sandboxProviders)[number];

/** How an MCP server is started in the sandbox, over stdio. */
export const mcpServer = z.strictObject({
  command: z.string().check(z.minLength(1)),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
});
export type McpServer = z.output<typeof mcpServer>;

/**
 * Everything that the session service needs to create a changeling's sandboxes, except secret values. `up` installs it as
 * JSON, so that it survives a restart of this machine.
 */
export const sandboxSpec = z.object({
  /** The changeling's name; `^[a-z][a-z0-9-]{0,39}$`. */
  name: z.string(),
  provider: z.enum(sandboxProviders),
  /** `none` only on `local`: the sandbox's programs run as this user, unconfined. */
  isolation: z.enum(["sandbox", "none"]),
  /** The repository's owner and name, as in `owner/name`; `local` is the owner of a path. */
  owner: z.string(),
  repo: z.string(),
  /** For `git clone`: an https URL or an absolute path on this machine. Contains no credentials. */
  url: z.string(),
  branch: z.string(),
  /** A name in `runtimes`, or the absolute path of a module. */
  runtime: z.string(),
  runtimeConfig: z.record(z.string(), z.unknown()),
  mcpServers: z.record(z.string(), mcpServer),
  /** How long a sandbox may live. */
  timeoutSeconds: z.number(),
  /** How long a sandbox may be idle before it falls asleep; undefined: it never does. */
  sleepAfterSeconds: z.optional(z.number()),
  /** Cores. */
  cpu: z.optional(z.number()),
  memoryGb: z.optional(z.number()),
  /**
   * Hosts that the sandbox may connect to, as `host`, `*.host` or `host:port`; undefined: every public host, but neither
   * this machine nor its private networks.
   */
  allowDomains: z.optional(z.array(z.string())),
  /** The git identity, without the suffix. */
  userName: z.string(),
  userEmail: z.string(),
  /** Names of environment variables with secret values for the runtime. */
  secrets: z.array(z.string()),
  /** Variables that are not secret. */
  env: z.record(z.string(), z.string()),
  /** The age above which a warm snapshot is replaced; undefined: no snapshot is kept. */
  snapshotMaxAgeSeconds: z.optional(z.number()),
});
export type SandboxSpec = z.output<typeof sandboxSpec>;

/** In every sandbox, at these paths (spec 004). */
export const memoryFolder = "/root/.mcp-memory";
export const memoryPath = `${memoryFolder}/memory.jsonl`;

export function repoPath({ repo }: Pick<SandboxSpec, "repo">): string {
  return `/workspace/${repo}`;
}

/** The volume with a repository's memory, shared by all its sandboxes (spec 004). */
export function memoryVolume({ owner, repo }: Pick<SandboxSpec, "owner" | "repo">): string {
  return `harvest-memory-${owner}-${repo}`;
}

/** The name of commits that an agent makes for a person (spec 004). */
export function gitName({ userName }: Pick<SandboxSpec, "userName">): string {
  return `${userName} (Harvest)`;
}
