import * as z from "zod/mini";
import {
  changelingVariables,
  type EnvironmentOf,
  environmentCodec,
  json,
  list,
  number,
  optionalNumber,
  text,
  type ValuesOf,
  yesNo,
} from "../command-environment.ts";
import { isRepoUrl } from "../git/repo-name.ts";
import { type Anchors, absolutePath, portablePath } from "../lib/portable-path.ts";
import { type DeclaredSandbox, isModulePath } from "./declared.ts";
import { mcpServer, type SandboxSpec, sandboxProviders } from "./spec.ts";

const unknowns = z.record(z.string(), z.unknown());
const servers = z.record(z.string(), mcpServer);

/** The environment of a sandbox changeling's Command, with local paths made portable. */
const variables = {
  ...changelingVariables,
  provider: ["PROVIDER", z.enum(sandboxProviders)],
  isolation: ["ISOLATION", z.enum(["sandbox", "none"])],
  owner: ["OWNER", text],
  repo: ["REPO", text],
  url: ["URL", text],
  branch: ["BRANCH", text],
  runtime: ["RUNTIME", text],
  runtimeConfig: ["RUNTIME_CONFIG", json(unknowns)],
  mcpServers: ["MCP_SERVERS", json(servers)],
  timeoutSeconds: ["TIMEOUT_SECONDS", number],
  sleepAfterSeconds: ["SLEEP_AFTER_SECONDS", optionalNumber],
  cpu: ["CPU", optionalNumber],
  memoryGb: ["MEMORY_GB", optionalNumber],
  /** Whether egress is limited to `allowDomains`. An empty list has no variable. */
  egressIsLimited: ["EGRESS_IS_LIMITED", yesNo],
  allowDomains: ["ALLOW_DOMAINS", list],
  userName: ["USER_NAME", text],
  userEmail: ["USER_EMAIL", text],
  snapshotMaxAgeSeconds: ["SNAPSHOT_MAX_AGE_SECONDS", optionalNumber],
} as const;

export const sandboxEnvironment = environmentCodec(variables);

type SandboxValues = ValuesOf<typeof variables>;

/** @param anchors the folders that portable paths are relative to */
export function environmentOfSandbox(
  { spec, enabled, description, renamedFrom }: DeclaredSandbox,
  anchors: Anchors,
  installation: string,
): EnvironmentOf<typeof variables> {
  return sandboxEnvironment.encode({
    ...spec,
    ...{ enabled, description, renamedFrom, installation },
    url: isRepoUrl(spec.url) ? spec.url : portablePath(spec.url, anchors),
    runtime: isModulePath(spec.runtime) ? portablePath(spec.runtime, anchors) : spec.runtime,
    egressIsLimited: spec.allowDomains !== undefined,
    allowDomains: spec.allowDomains ?? [],
  });
}

export function specOfSandbox(values: SandboxValues, anchors: Anchors): SandboxSpec {
  const { egressIsLimited, allowDomains } = values;
  return {
    name: values.name,
    provider: values.provider,
    isolation: values.isolation,
    owner: values.owner,
    repo: values.repo,
    url: isRepoUrl(values.url) ? values.url : absolutePath(values.url, anchors),
    branch: values.branch,
    runtime: isModulePath(values.runtime) ? absolutePath(values.runtime, anchors) : values.runtime,
    runtimeConfig: values.runtimeConfig,
    mcpServers: values.mcpServers,
    timeoutSeconds: values.timeoutSeconds,
    sleepAfterSeconds: values.sleepAfterSeconds,
    cpu: values.cpu,
    memoryGb: values.memoryGb,
    allowDomains: egressIsLimited ? [...allowDomains] : undefined,
    userName: values.userName,
    userEmail: values.userEmail,
    secrets: [...values.secrets],
    env: values.env,
    snapshotMaxAgeSeconds: values.snapshotMaxAgeSeconds,
  };
}
