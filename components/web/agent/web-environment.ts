import * as z from "zod/mini";
import {
  changelingVariables,
  type EnvironmentOf,
  environmentCodec,
  list,
  number,
  optionalText,
  text,
  type ValuesOf,
  yesNo,
} from "../../command-environment.ts";
import { isRepoUrl } from "../../git/repo-name.ts";
import { type Anchors, absolutePath, portablePath } from "../../lib/portable-path.ts";
import type { DeclaredWeb } from "../declared.ts";
import { settingsToml } from "../settings.ts";
import type { WebSpec } from "./spec.ts";

const addedPaths = z.readonly(z.array(z.object({ from: z.string(), to: z.string() })));

/** A web changeling as the environment of its Command, with local paths made portable. */
export const webVariables = {
  ...changelingVariables,
  provider: ["PROVIDER", z.enum(["local", "docker", "modal"])],
  /** What its repo is cloned from. */
  source: ["SOURCE", optionalText],
  branch: ["BRANCH", text],
  /** The tip of the source's branch. */
  commit: ["COMMIT", optionalText],
  agentType: ["AGENT_TYPE", optionalText],
  /** A stock type's fingerprint, so that a new version of its files changes the agent. */
  definition: ["AGENT_DEFINITION", optionalText],
  agentArgs: ["AGENT_ARGS", list],
  buildArgs: ["BUILD_ARGS", list],
  /** `SRC:DEST`. */
  addPaths: [
    "ADD_PATHS",
    z.codec(list, addedPaths, {
      decode: (pairs) =>
        pairs.map((pair) => {
          // A portable path may contain a colon; a path in the repo can't.
          const at = pair.lastIndexOf(":");
          return { from: pair.slice(0, at), to: pair.slice(at + 1) };
        }),
      encode: (paths) => paths.map(({ from, to }) => `${from}:${to}`),
    }),
  ],
  /** The fingerprint of their contents. */
  added: ["ADDED_FILES", optionalText],
  data: ["DATA", optionalText],
  destroyData: ["DESTROY_DATA", yesNo],
  remote: ["REMOTE", optionalText],
  memoryInGit: ["MEMORY_IN_GIT", yesNo],
  /** The text of its settings file. */
  settings: ["SETTINGS", optionalText],
  startTimeoutSeconds: ["START_TIMEOUT_SECONDS", number],
  mngrProfile: ["MNGR_PROFILE", optionalText],
} as const;

export const webEnvironment = environmentCodec(webVariables);

export type WebValues = ValuesOf<typeof webVariables>;

/**
 * Changes with the values of its secrets, so that a rotated one reaches the agent. It is itself a secret, and never
 * read.
 */
export const secretsDigestEnvironment = environmentCodec({ digest: ["SECRETS_DIGEST", text] });

/** Inputs of a web agent that its declaration does not contain. */
export interface WebContext {
  readonly installation: string;
  readonly mngrProfile: string | undefined;
  /** The source's commit; undefined if there is none, or it is unknown. */
  readonly commit: string | undefined;
  /** The fingerprint of a stock type's files. */
  readonly definition: string | undefined;
  /** The fingerprint of what `addPaths` copies. */
  readonly added: string | undefined;
  readonly secrets: readonly string[];
  readonly anchors: Anchors;
}

export function environmentOfWeb(
  declared: DeclaredWeb,
  { anchors, ...context }: WebContext,
): EnvironmentOf<typeof webVariables> {
  const { settings } = declared;
  return webEnvironment.encode({
    ...withLocations(declared, (path) => portablePath(path, anchors)),
    ...context,
    settings: settings && settingsToml(settings),
  });
}

/** The spec where the agent is created, with this machine's paths. */
export function specOfWeb({ installation, renamedFrom, ...from }: WebValues, anchors: Anchors): WebSpec {
  const { agentArgs, buildArgs, secrets, addPaths, ...spec } = withLocations(from, (path) =>
    absolutePath(path, anchors),
  );
  return {
    ...spec,
    addPaths: [...addPaths],
    secrets: [...secrets],
    agentArgs: [...agentArgs],
    buildArgs: [...buildArgs],
  };
}

/** The values that name a local path or a URL. */
type Locations = Pick<WebValues, "provider" | "source" | "data" | "remote" | "addPaths">;

function withLocations<Of extends Locations>(of: Of, pathOf: (path: string) => string): Of {
  const locationOf = (location: string) => (isRepoUrl(location) ? location : pathOf(location));
  const { provider, source, data, remote, addPaths } = of;
  return {
    ...of,
    source: source && locationOf(source),
    // For other providers this is a volume's name.
    data: provider === "local" ? data && locationOf(data) : data,
    remote: remote && locationOf(remote),
    addPaths: addPaths.map(({ from, to }) => ({ from: locationOf(from), to })),
  };
}
