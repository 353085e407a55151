import * as z from "zod/mini";
import { type DeclaredWeb, isRepoUrl, settingsToml } from "../../fleet/index.ts";
import { type Anchors, absolutePath, portablePath } from "../../lib/portable-path.ts";
import type { WebSpec } from "./spec.ts";

/**
 * A web changeling as the environment of its Command: field by field, in words, because this is what a preview shows.
 * What is not set is undefined, which the engine leaves out.
 */
export const webEnvironment = z.object({
  NAME: z.string(),
  DESCRIPTION: z.optional(z.string()),
  INSTALLATION: z.string(),
  PROVIDER: z.enum(["local", "docker", "modal"]),
  ENABLED: z.enum(["yes", "no"]),
  /** What its repo is cloned from: a URL, or a portable path. */
  SOURCE: z.optional(z.string()),
  BRANCH: z.string(),
  /** The tip of the source's branch. */
  COMMIT: z.optional(z.string()),
  AGENT_TYPE: z.optional(z.string()),
  /** A stock type's fingerprint: a new version of its files is a change of the agent. */
  AGENT_DEFINITION: z.optional(z.string()),
  AGENT_ARGS: z.optional(z.string()),
  BUILD_ARGS: z.optional(z.string()),
  /** `SRC:DEST`, the sources as portable paths. */
  ADD_PATHS: z.optional(z.string()),
  /** The fingerprint of what they hold. */
  ADDED_FILES: z.optional(z.string()),
  ENV: z.optional(z.string()),
  /** Names of the secrets that it gets. */
  SECRETS: z.optional(z.string()),
  /** Changes with their values, so that a rotated one reaches the agent. Itself a secret. */
  SECRETS_DIGEST: z.optional(z.string()),
  DATA: z.optional(z.string()),
  DESTROY_DATA: z.enum(["yes", "no"]),
  REMOTE: z.optional(z.string()),
  MEMORY_IN_GIT: z.enum(["yes", "no"]),
  /** The text of its settings file. */
  SETTINGS: z.optional(z.string()),
  START_TIMEOUT_SECONDS: z.string(),
  MNGR_PROFILE: z.optional(z.string()),
  /** The name that it had: its agent, repo and data are kept under the new one. */
  RENAMED_FROM: z.optional(z.string()),
});

export type WebEnvironment = z.infer<typeof webEnvironment>;

/** What a web agent is made of beside its declaration. */
export interface WebContext {
  readonly installation: string;
  readonly mngrProfile: string | undefined;
  /** The source's commit; undefined: there is none, or it is not known. */
  readonly commit: string | undefined;
  /** The fingerprint of a stock type's files. */
  readonly definition: string | undefined;
  /** The fingerprint of what `addPaths` copies. */
  readonly added: string | undefined;
  readonly secrets: readonly string[];
  readonly anchors: Anchors;
}

/** All but SECRETS_DIGEST, which is a secret. */
export function environmentOfWeb(declared: DeclaredWeb, context: WebContext): Omit<WebEnvironment, "SECRETS_DIGEST"> {
  const { anchors } = context;
  const portable = (place: string) => (isRepoUrl(place) ? place : portablePath(place, anchors));
  return {
    NAME: declared.name,
    DESCRIPTION: declared.description,
    INSTALLATION: context.installation,
    PROVIDER: declared.provider,
    ENABLED: yes(declared.enabled),
    SOURCE: declared.source && portable(declared.source),
    BRANCH: declared.branch,
    COMMIT: context.commit,
    AGENT_TYPE: declared.agentType,
    AGENT_DEFINITION: context.definition,
    AGENT_ARGS: list(declared.agentArgs),
    BUILD_ARGS: list(declared.buildArgs),
    ADD_PATHS: list(declared.addPaths.map(({ from, to }) => `${portable(from)}:${to}`)),
    ADDED_FILES: context.added,
    ENV: Object.keys(declared.env).length > 0 ? JSON.stringify(declared.env) : undefined,
    SECRETS: context.secrets.length > 0 ? [...context.secrets].sort().join(", ") : undefined,
    DATA: declared.provider === "local" ? declared.data && portable(declared.data) : declared.data,
    DESTROY_DATA: yes(declared.destroyData),
    REMOTE: declared.remote && portable(declared.remote),
    MEMORY_IN_GIT: yes(declared.memoryInGit),
    SETTINGS: declared.settings && settingsToml(declared.settings),
    START_TIMEOUT_SECONDS: String(declared.startTimeoutSeconds),
    MNGR_PROFILE: context.mngrProfile,
    RENAMED_FROM: declared.renamedFrom,
  };
}

/** The inverse, where the agent is made: paths are this machine's. */
export function specOfEnvironment(from: WebEnvironment, anchors: Anchors): WebSpec {
  const absolute = (place: string) => (isRepoUrl(place) ? place : absolutePath(place, anchors));
  return {
    name: from.NAME,
    description: from.DESCRIPTION,
    provider: from.PROVIDER,
    enabled: from.ENABLED === "yes",
    source: from.SOURCE && absolute(from.SOURCE),
    branch: from.BRANCH,
    commit: from.COMMIT,
    agentType: from.AGENT_TYPE,
    definition: from.AGENT_DEFINITION,
    addPaths: strings(from.ADD_PATHS).map((pair) => {
      // A portable path may hold a colon, a path in the repo never does.
      const at = pair.lastIndexOf(":");
      return { from: absolute(pair.slice(0, at)), to: pair.slice(at + 1) };
    }),
    added: from.ADDED_FILES,
    env: from.ENV === undefined ? {} : z.record(z.string(), z.string()).parse(JSON.parse(from.ENV)),
    secrets: from.SECRETS === undefined ? [] : from.SECRETS.split(", "),
    data: from.PROVIDER === "local" ? from.DATA && absolute(from.DATA) : from.DATA,
    destroyData: from.DESTROY_DATA === "yes",
    remote: from.REMOTE && absolute(from.REMOTE),
    memoryInGit: from.MEMORY_IN_GIT === "yes",
    settings: from.SETTINGS,
    startTimeoutSeconds: Number(from.START_TIMEOUT_SECONDS),
    agentArgs: strings(from.AGENT_ARGS),
    buildArgs: strings(from.BUILD_ARGS),
    mngrProfile: from.MNGR_PROFILE,
  };
}

function yes(value: boolean): "yes" | "no" {
  return value ? "yes" : "no";
}

function list(values: readonly string[]): string | undefined {
  return values.length > 0 ? JSON.stringify(values) : undefined;
}

function strings(json: string | undefined): string[] {
  return json === undefined ? [] : z.array(z.string()).parse(JSON.parse(json));
}
