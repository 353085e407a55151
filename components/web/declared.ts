import { stockWebType } from "../../changelings/stock-web.ts";
import type { AgentTypes } from "../fleet/agents.ts";
import type { AddedPath, DeclaredWeb, Provider } from "../fleet/changeling.ts";
import type { WebOptions } from "../fleet/options.ts";
import { httpsRemote } from "../git/remote.ts";
import { absolutePath, absoluteRepo } from "../git/repo-name.ts";
import { parseAddPath } from "./added-paths.ts";

/** What an option means is decided by, outside the file's text. */
export interface DecidedWeb {
  /** The folder that relative paths are relative to. */
  readonly folder: string;
  readonly home: string;
  readonly needsModelKey: boolean;
  readonly secretsAreExplicit: boolean;
}

/** The declared changeling, every option decided. */
export function resolvedWeb(name: string, options: WebOptions, decided: DecidedWeb): DeclaredWeb {
  const { provider, source, remote, data } = options;
  return {
    name,
    kind: "web",
    provider,
    source: source === undefined ? undefined : absoluteRepo(source, decided),
    branch: options.branch,
    agentType: webAgentType(name, options),
    needsModelKey: decided.needsModelKey,
    enabled: options.enabled,
    addPaths: addedPaths(options, decided),
    secrets: [...new Set(options.secrets)],
    secretsAreExplicit: decided.secretsAreExplicit,
    env: options.env,
    data: data === undefined ? undefined : placeOfData(data, provider, decided),
    destroyData: options.destroy_data,
    remote: remote === undefined ? undefined : pushedTo(remote, provider, decided),
    memoryInGit: options.memory_in_git,
    settings: options.settings,
    startTimeoutSeconds: options.start_timeout_seconds,
    agentArgs: options.agent_args,
    buildArgs: options.build_args,
    description: options.description,
    renamedFrom: options.renamed_from,
  };
}

/** Undefined: the source says it. */
export function webAgentType(name: string, { source, agent_type: type }: WebOptions): string | undefined {
  return type ?? (source === undefined ? name : undefined);
}

type Folders = Pick<DecidedWeb, "folder" | "home">;

/** In their order; those that are wrong are left out. */
export function addedPaths({ add_paths: written }: WebOptions, folders: Folders): AddedPath[] {
  return written.flatMap((text) => {
    const path = parseAddPath(text);
    return "message" in path ? [] : [{ from: absolutePath(path.from, folders), to: path.to }];
  });
}

function placeOfData(data: string, provider: Provider, folders: Folders): string {
  return provider === "local" ? absolutePath(data, folders) : data;
}

/** Elsewhere there are no keys for ssh, but a token for https. */
function pushedTo(remote: string, provider: Provider, folders: Folders): string {
  return (provider === "local" ? undefined : httpsRemote(remote)) ?? absoluteRepo(remote, folders);
}

/** Whether a web changeling's agent is Claude, or answers with it. @param type undefined: nobody knows */
export function needsModelKey(type: string | undefined, types: AgentTypes): boolean {
  if (type === undefined) return false;
  return types.base(type) === "claude" || stockWebType(type)?.needsClaude === true;
}
