import * as z from "zod/mini";
import type { StockChangeling } from "../../../changelings/stock.ts";
import {
  type EnvironmentOf,
  environmentCodec,
  names,
  optionalNumber,
  optionalText,
  text,
  type ValuesOf,
} from "../../command-environment.ts";
import { isRepoUrl } from "../../git/repo-name.ts";
import { type Anchors, portablePath } from "../../lib/portable-path.ts";
import { appName, homeVolumeName, runsVolumeName, secretName, stackSecretName } from "../../modal/names.ts";
import { gitTokenEnvironment } from "../../source/tarball-environment.ts";
import { homeVariables } from "../../stack/modal-home-environment.ts";
import { agentOf, agentValues, agentVariables } from "../agent-environment.ts";
import type { DeclaredCron } from "../declared.ts";
import type { AppSpec } from "./spec.ts";

const declaredVariables = {
  ...agentVariables,
  stack: ["STACK", text],
  /** The https URL that its sandboxes clone and push to. */
  repo: ["REPO", text],
  image: ["IMAGE", z.enum(["clone", "snapshot", "pinned", "custom"])],
  /** `pinned`: the commit that its runs start from, and the commit's subject. */
  commit: ["COMMIT", optionalText],
  subject: ["LAST_COMMIT", optionalText],
  historyDepth: ["HISTORY_DEPTH", optionalNumber],
  /** `pinned`: the source of the tarball, a URL or a portable path. */
  tarballOf: ["TARBALL_OF", optionalText],
  /** `snapshot`: the label derived from its declaration. */
  snapshotLabel: ["SNAPSHOT", optionalText],
  /** Names of the secrets that it receives. */
  secrets: ["SECRETS", names],
  /** Fingerprint of the deployed program. */
  program: ["PROGRAM", text],
  verify: ["VERIFY", z.enum(["call", "none"])],
} as const;

/** All variables but those that are only known once the stack's home exists. */
const declaredEnvironment = environmentCodec(declaredVariables);

/** Encodes a changeling's app on Modal as the environment of its Command. The token fetches its repository. */
export const appEnvironment = environmentCodec({
  ...declaredVariables,
  ...homeVariables,
  ...gitTokenEnvironment.table,
});

export type AppValues = ValuesOf<(typeof appEnvironment)["table"]>;

/** What an app needs besides its declaration. */
export interface AppContext {
  readonly stack: string;
  readonly stock: StockChangeling | undefined;
  readonly anchors: Anchors;
  /** Names of the secrets that have a value. */
  readonly secrets: readonly string[];
  readonly program: string;
  /** The commit that `pinned` starts from. */
  readonly tip: { readonly commit: string; readonly subject: string | undefined } | undefined;
  readonly snapshotLabel: string | undefined;
}

export function environmentOfApp(
  changeling: DeclaredCron,
  context: AppContext,
): EnvironmentOf<typeof declaredVariables> {
  const { stack, stock, anchors, secrets, program, tip, snapshotLabel } = context;
  const { repo, remote = repo, image, verify } = changeling;
  const { commit, subject } = tip ?? {};
  return declaredEnvironment.encode({
    ...agentValues(changeling, stock),
    ...{ stack, repo: remote, image, commit, subject, snapshotLabel, secrets, program, verify },
    historyDepth: tip && changeling.historyDepth,
    tarballOf: tip && (isRepoUrl(repo) ? repo : portablePath(repo, anchors)),
  });
}

/** The spec that is deployed for these values. */
export function specOfApp(from: AppValues, stock: StockChangeling | undefined): AppSpec {
  const { stack, name, environment, userId, prefix, schedule, timezone, enabled, repo, branch, image, program } = from;
  const { timeoutSeconds, settleSeconds, keepRuns } = from;
  const agent = agentOf(from, stock);
  return {
    ...{ version: 1, stack, name, environment, userId, prefix, schedule, timezone, enabled },
    ...{ timeoutSeconds, settleSeconds, keepRuns, repo, branch, image },
    commit: from.commit ?? null,
    snapshotLabel: from.snapshotLabel ?? null,
    agent: {
      ...agent,
      leavesExitStatus: !agent.isConversational && (agent.script !== undefined || agent.mngrType === "command"),
      script: agent.script ?? null,
      message: agent.message ?? null,
      template: agent.template ?? null,
      settings: agent.settings ?? [],
    },
    secrets: [...from.secrets],
    secretName: secretName(stack, name),
    stackSecretName: stackSecretName(stack),
    homeVolume: homeVolumeName(stack),
    runsVolume: runsVolumeName(stack),
    appName: appName(stack, name),
    program,
  };
}
