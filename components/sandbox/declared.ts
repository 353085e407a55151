import { isAbsolute } from "node:path";
import type { ResolvedChangeling } from "../fleet/kind.ts";
import { httpsRemote } from "../git/remote.ts";
import { absolutePath, isRepoUrl } from "../git/repo-name.ts";
import { durationSeconds } from "../lib/duration.ts";
import type { SandboxOptions } from "./options.ts";
import { secretsOfRuntime } from "./runtimes/registry.ts";
import { memoryVolume, type SandboxProviderName, type SandboxSpec } from "./spec.ts";

/** A `sandbox` changeling: coding sandboxes that are created on demand for its repository (spec 004). */
export interface DeclaredSandbox extends ResolvedChangeling {
  readonly kind: "sandbox";
  readonly provider: SandboxProviderName;
  /** Everything that is needed to create its sandboxes. */
  readonly spec: SandboxSpec;
}

/** Values from outside the changeling's options. */
export interface SandboxContext {
  readonly repository: RepositoryName;
  /** Relative paths are relative to it. */
  readonly folder: string;
  readonly home: string;
  readonly secretsAreExplicit: boolean;
}

export interface RepositoryName {
  readonly owner: string;
  readonly repo: string;
  /** For `git clone`: https, http on loopback, or an absolute path. */
  readonly url: string;
}

export function resolvedSandbox(name: string, options: SandboxOptions, context: SandboxContext): DeclaredSandbox {
  const { repository } = context;
  const secrets = [...new Set(options.secrets)];
  const requiredSecrets = requiredOf(options, context);
  return {
    name,
    kind: "sandbox",
    provider: options.provider,
    enabled: options.enabled,
    secrets,
    requiredSecrets,
    description: options.description,
    renamedFrom: options.renamed_from,
    spec: {
      name,
      provider: options.provider,
      isolation: options.isolation,
      ...repository,
      branch: options.branch,
      runtime: runtimePath(options.runtime, context),
      runtimeConfig: options.runtime_config,
      mcpServers: options.mcp_servers,
      timeoutSeconds: options.timeout_seconds,
      sleepAfterSeconds: sleepAfter(options),
      cpu: options.cpu,
      memoryGb: options.memory_gb,
      allowDomains: options.allow_domains,
      userName: options.user_name ?? name,
      userEmail: options.user_email ?? `${name}@changelings.invalid`,
      secrets: [...new Set([...secrets, ...requiredSecrets.flat()])],
      env: options.env,
      snapshotMaxAgeSeconds:
        options.snapshot_max_age === undefined ? undefined : durationSeconds(options.snapshot_max_age),
    },
  };
}

/** Similar services let an idle sandbox run for about this long. */
const idleSeconds = 900;

function sleepAfter({ sleep_after_seconds: seconds, provider }: SandboxOptions): number | undefined {
  const declared = seconds ?? (provider === "local" ? 0 : idleSeconds);
  return declared === 0 ? undefined : declared;
}

/** All secrets of an explicit list are required; of the default list, only those that the runtime can't work without. */
function requiredOf(
  { secrets, runtime, runtime_config: config }: SandboxOptions,
  { secretsAreExplicit }: SandboxContext,
) {
  if (secretsAreExplicit) return [...new Set(secrets)].map((name) => [name]);
  const keys = secretsOfRuntime(runtime, config);
  return keys.length === 0 ? [] : [keys];
}

/** Whether the runtime is the path of a user's own module. */
export function isModulePath(runtime: string): boolean {
  return isAbsolute(runtime) || /^(\.{1,2}|~)\//.test(runtime);
}

function runtimePath(runtime: string, folders: Pick<SandboxContext, "folder" | "home">): string {
  return isModulePath(runtime) ? absolutePath(runtime, folders) : runtime;
}

/** Expands `owner/name` to its URL on GitHub. Paths begin with `/`, `~` or `.`. */
export function expandedRepo(repo: string): string {
  return /^[A-Za-z0-9][A-Za-z0-9-]*\/[A-Za-z0-9._-]+$/.test(repo) ? `https://github.com/${repo}` : repo;
}

/** A repository's name becomes a folder in the sandbox, and part of a volume's name. */
const namePart = /^(?!\.+$)[A-Za-z0-9._-]{1,100}$/;

/**
 * @param repo an absolute path or a URL
 * @returns undefined if no sandbox can clone it, or if its name can't be a folder's
 */
export function repositoryName(repo: string): RepositoryName | undefined {
  const url = isRepoUrl(repo) ? httpsRemote(repo) : repo;
  const parts = (url ?? "").replace(/(\.git)?\/*$/, "").split("/");
  const name = parts.at(-1) ?? "";
  const owner = isRepoUrl(repo) ? (parts.at(-2) ?? "") : "local";
  if (url === undefined || !namePart.test(name) || !namePart.test(owner)) return undefined;
  return { owner, repo: name, url };
}

/**
 * Finds changelings of different repositories that would share a memory volume: in the name that spec 004 gives a volume,
 * `a-b/c` and `a/b-c` are the same.
 *
 * @returns by the changeling's name, the first one with the same volume
 */
export function sharedMemory(changelings: readonly DeclaredSandbox[]): ReadonlyMap<string, DeclaredSandbox> {
  const first = new Map<string, DeclaredSandbox>();
  const shared = new Map<string, DeclaredSandbox>();
  for (const changeling of changelings) {
    const { spec, provider } = changeling;
    const volume = `${provider} ${memoryVolume(spec)}`;
    const other = first.get(volume);
    if (other === undefined) first.set(volume, changeling);
    else if (other.spec.url !== spec.url) shared.set(changeling.name, other);
  }
  return shared;
}
