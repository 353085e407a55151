import { stockWebType } from "../../changelings/stock-web.ts";
import type { AgentTypes } from "../fleet/agents.ts";
import { modelKeys } from "../fleet/secrets.ts";
import { httpsRemote } from "../git/remote.ts";
import { absolutePath, absoluteRepo } from "../git/repo-name.ts";
import { type AddedPath, parseAddPath } from "./added-paths.ts";
import type { Provider, WebOptions } from "./options.ts";
import type { WebSettings } from "./settings.ts";

/** What the options depend on besides the fleet file's text. */
export interface OptionContext {
  /** The folder that relative paths are resolved against. */
  readonly folder: string;
  readonly home: string;
  readonly needsModelKey: boolean;
  readonly secretsAreExplicit: boolean;
}

/** The declared changeling with every option resolved. */
export function resolvedWeb(name: string, options: WebOptions, context: OptionContext): DeclaredWeb {
  const { provider, source, remote, data } = options;
  return {
    name,
    kind: "web",
    provider,
    source: source === undefined ? undefined : absoluteRepo(source, context),
    branch: options.branch,
    agentType: webAgentType(name, options),
    needsModelKey: context.needsModelKey,
    enabled: options.enabled,
    addPaths: addedPaths(options, context),
    secrets: [...new Set(options.secrets)],
    secretsAreExplicit: context.secretsAreExplicit,
    requiredSecrets: requiredSecrets(options, context),
    env: options.env,
    data: data === undefined ? undefined : dataLocation(data, provider, context),
    destroyData: options.destroy_data,
    remote: remote === undefined ? undefined : remoteLocation(remote, provider, context),
    memoryInGit: options.memory_in_git,
    settings: options.settings,
    startTimeoutSeconds: options.start_timeout_seconds,
    agentArgs: options.agent_args,
    buildArgs: options.build_args,
    description: options.description,
    renamedFrom: options.renamed_from,
  };
}

/** undefined if the source decides. */
export function webAgentType(name: string, { source, agent_type: type }: WebOptions): string | undefined {
  return type ?? (source === undefined ? name : undefined);
}

type Folders = Pick<OptionContext, "folder" | "home">;

/** The valid elements of `add_paths`, in their order. */
function addedPaths({ add_paths: written }: WebOptions, folders: Folders): AddedPath[] {
  return written.flatMap((text) => {
    const path = parseAddPath(text);
    return "message" in path ? [] : [{ from: absolutePath(path.from, folders), to: path.to }];
  });
}

function dataLocation(data: string, provider: Provider, folders: Folders): string {
  return provider === "local" ? absolutePath(data, folders) : data;
}

/** An https URL for other providers, which have a token but no ssh keys. */
function remoteLocation(remote: string, provider: Provider, folders: Folders): string {
  return (provider === "local" ? undefined : httpsRemote(remote)) ?? absoluteRepo(remote, folders);
}

/**
 * Whether a web changeling's agent is Claude, or uses it to respond.
 * @param type undefined if unknown
 */
export function needsModelKey(type: string | undefined, types: AgentTypes): boolean {
  if (type === undefined) return false;
  return types.base(type) === "claude" || stockWebType(type)?.needsClaude === true;
}

/** A `web` changeling: a persistent agent that serves web pages, and whose data outlives it (spec 001). */
export interface DeclaredWeb {
  /** Unique in the fleet; `^[a-z][a-z0-9-]{0,39}$`. */
  readonly name: string;
  readonly kind: "web";
  readonly provider: Provider;
  /** The git URL or absolute path that its repo is cloned from; undefined if made from scratch for `agentType`. */
  readonly source: string | undefined;
  /** The source's branch that its own follows. */
  readonly branch: string;
  /** undefined only with a source, whose create template `entrypoint` decides. */
  readonly agentType: string | undefined;
  /** True if the type is known to use Claude, which needs a key for the model. */
  readonly needsModelKey: boolean;
  /** Whether it runs. */
  readonly enabled: boolean;
  /** The files and folders that are copied into its repo. */
  readonly addPaths: readonly AddedPath[];
  /** Names of the environment variables that the agent gets as secrets. */
  readonly secrets: readonly string[];
  /** True if the file lists `secrets` itself: then all of them are required. */
  readonly secretsAreExplicit: boolean;
  /** At least one of each group must be set. */
  readonly requiredSecrets: readonly (readonly string[])[];
  /** Plain, non-secret environment of the agent. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Where its data is: an absolute path (local) or a volume's name (docker, modal); undefined for the default.
   */
  readonly data: string | undefined;
  /** Whether its data and repo are deleted when it is removed. */
  readonly destroyData: boolean;
  /** The git remote that the agent's own commits are pushed to, on the branch `changelings/<name>`. */
  readonly remote: string | undefined;
  readonly memoryInGit: boolean;
  /** The contents of `.changelings/settings.toml`, including defaults; undefined if the file is not managed. */
  readonly settings: WebSettings | undefined;
  /** Limit for the agent to come up and register its server. */
  readonly startTimeoutSeconds: number;
  readonly agentArgs: readonly string[];
  readonly buildArgs: readonly string[];
  readonly description: string | undefined;
  readonly renamedFrom: string | undefined;
}

/** Every secret of an explicit list is required; of the default list, only those that the agent needs. */
function requiredSecrets({ secrets }: WebOptions, context: OptionContext): (readonly string[])[] {
  if (context.secretsAreExplicit) return [...new Set(secrets)].map((name) => [name]);
  return context.needsModelKey ? [modelKeys] : [];
}
