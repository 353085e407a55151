import * as z from "zod/mini";
import type { StockChangeling } from "../../../changelings/stock.ts";
import { type DeclaredCron, isRepoUrl } from "../../fleet/index.ts";
import { type Anchors, portablePath } from "../../lib/portable-path.ts";
import { appName, homeVolumeName, runsVolumeName, secretName, stackSecretName } from "../../modal/names.ts";
import { agentEnvironment, agentOf, environmentOfAgent } from "../agent-environment.ts";
import type { AppSpec } from "./spec.ts";

/** A changeling's app on Modal as the environment of its Command. */
export const appEnvironment = z.object({
  ...agentEnvironment,
  STACK: z.string(),
  /** Where the stack stands on Modal, and as whom its agents are made; known once its home is. */
  MODAL_ENVIRONMENT: z.string(),
  MNGR_USER_ID: z.string(),
  MNGR_PREFIX: z.string(),
  /** The https URL that its sandboxes clone and push to. */
  REPO: z.string(),
  IMAGE: z.enum(["clone", "snapshot", "pinned", "custom"]),
  /** `pinned`: the commit that its runs start from, and that commit's first line. */
  COMMIT: z.optional(z.string()),
  LAST_COMMIT: z.optional(z.string()),
  HISTORY_DEPTH: z.optional(z.string()),
  /** `pinned`: what the tarball is made from, a URL or a portable path. */
  TARBALL_OF: z.optional(z.string()),
  /** `snapshot`: the label that its declaration determines. */
  SNAPSHOT: z.optional(z.string()),
  /** Names of the secrets that it is given, separated by commas. */
  SECRETS: z.optional(z.string()),
  /** Fingerprint of the program that is deployed. */
  PROGRAM: z.string(),
  VERIFY: z.enum(["call", "none"]),
});

export type AppEnvironment = z.infer<typeof appEnvironment>;

/** What an app is made of beside its declaration. */
export interface AppContext {
  readonly stack: string;
  readonly stock: StockChangeling | undefined;
  readonly anchors: Anchors;
  /** Names of the secrets that have a value. */
  readonly secrets: readonly string[];
  readonly program: string;
  /** What `pinned` starts from. */
  readonly tip: { readonly commit: string; readonly subject: string | undefined } | undefined;
  readonly snapshotLabel: string | undefined;
}

/** All but what is known only when the stack's home is there. */
export type DeclaredAppEnvironment = Omit<AppEnvironment, "MODAL_ENVIRONMENT" | "MNGR_USER_ID" | "MNGR_PREFIX">;

export function environmentOfApp(changeling: DeclaredCron, context: AppContext): DeclaredAppEnvironment {
  const { tip } = context;
  return {
    ...environmentOfAgent(changeling, context.stock),
    STACK: context.stack,
    REPO: changeling.remote ?? changeling.repo,
    IMAGE: changeling.image,
    COMMIT: tip?.commit,
    LAST_COMMIT: tip?.subject,
    HISTORY_DEPTH: tip === undefined ? undefined : String(changeling.historyDepth),
    TARBALL_OF:
      tip === undefined
        ? undefined
        : isRepoUrl(changeling.repo)
          ? changeling.repo
          : portablePath(changeling.repo, context.anchors),
    SNAPSHOT: context.snapshotLabel,
    SECRETS: context.secrets.length === 0 ? undefined : [...context.secrets].sort().join(", "),
    PROGRAM: context.program,
    VERIFY: changeling.verify,
  };
}

/** What is deployed of it. */
export function specOfEnvironment(from: AppEnvironment, stock: StockChangeling | undefined): AppSpec {
  const { STACK: stack, NAME: name } = from;
  const agent = agentOf(from, stock);
  return {
    version: 1,
    stack,
    name,
    environment: from.MODAL_ENVIRONMENT,
    userId: from.MNGR_USER_ID,
    prefix: from.MNGR_PREFIX,
    schedule: from.SCHEDULE,
    timezone: from.TIMEZONE,
    enabled: from.ENABLED === "yes",
    timeoutSeconds: Number(from.TIMEOUT_SECONDS),
    settleSeconds: Number(from.SETTLE_SECONDS),
    keepRuns: Number(from.KEEP_RUNS),
    repo: from.REPO,
    branch: from.BRANCH,
    image: from.IMAGE,
    commit: from.COMMIT ?? null,
    snapshotLabel: from.SNAPSHOT ?? null,
    agent: {
      type: agent.type,
      mngrType: agent.mngrType,
      isConversational: agent.isConversational,
      leavesExitStatus: !agent.isConversational && (agent.script !== undefined || agent.mngrType === "command"),
      script: agent.script ?? null,
      args: agent.args,
      message: agent.message ?? null,
      template: agent.template ?? null,
      buildArgs: agent.buildArgs,
      settings: agent.settings ?? [],
      env: agent.env,
    },
    secrets: from.SECRETS === undefined ? [] : from.SECRETS.split(", "),
    secretName: secretName(stack, name),
    stackSecretName: stackSecretName(stack),
    homeVolume: homeVolumeName(stack),
    runsVolume: runsVolumeName(stack),
    appName: appName(stack, name),
    program: from.PROGRAM,
  };
}
