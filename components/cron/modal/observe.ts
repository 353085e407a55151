import * as pulumi from "@pulumi/pulumi";
import { plainValue } from "../../component.ts";
import { hostCredentials } from "../../git/credentials.ts";
import { isRepoUrl } from "../../git/repo-name.ts";
import { ModalError } from "../../modal/modal-error.ts";
import { checkSecretValues } from "../../modal/secret-values.ts";
import { dockerfileProblemAt } from "../../source/dockerfile.ts";
import { snapshotNeeds } from "../../source/snapshot.ts";
import { type Branch, pinProblems, type Tip, type TipOptions, tipsOf } from "../../source/tip.ts";
import { type ModalStack, type ModalStackOptions, modalStack } from "../../stack/modal.ts";
import type { DeclaredCron } from "../declared.ts";
import { ModalPlace, snapshotNeed } from "./deploy.ts";

export interface ModalPlaceOptions extends ModalStackOptions {
  /** The result of `modalStack`, if you already have it. Otherwise it is read again. */
  readonly modal?: ModalStack | undefined;
  /** The secret values of each changeling, checked before any change. */
  readonly secretValues?: (changeling: DeclaredCron) => Readonly<Record<string, pulumi.Input<string>>>;
}

/**
 * Resolves where a stack's changelings run on Modal and observes what is deployed, with one query for all of them.
 *
 * @param changelings those with provider "modal"
 * @throws pulumi.RunError in an update if Modal is not reachable, before any change; a preview only warns, and detects
 * no drift. In both cases: if commits can't be pinned or secrets can't be sent, with all reasons.
 */
export async function modalPlace(
  changelings: readonly DeclaredCron[],
  options: ModalPlaceOptions = {},
): Promise<ModalPlace> {
  const [modal, tips] = await Promise.all([
    options.modal ?? modalStack(options),
    pinnedTips(changelings, options),
    checkSecrets(changelings, options),
  ]);
  const { stack, observed, mngrProfile, stackToken } = modal;
  const needs = snapshotNeeds(changelings.filter(({ image }) => image === "snapshot").map(snapshotNeed));
  return new ModalPlace({ stack, home: modal.home(), observed, tips, needs, mngrProfile, stackToken });
}

async function checkSecrets(
  changelings: readonly DeclaredCron[],
  { secretValues = () => ({}) }: ModalPlaceOptions,
): Promise<void> {
  const problems: string[] = [];
  for (const changeling of changelings) {
    const entries = Object.entries(secretValues(changeling)).map(async ([name, value]) => [
      name,
      await plainValue(value),
    ]);
    try {
      checkSecretValues(changeling.name, Object.fromEntries(await Promise.all(entries)));
    } catch (error) {
      if (!(error instanceof ModalError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));
}

/** The commit that each `pinned` changeling starts from. */
async function pinnedTips(
  changelings: readonly DeclaredCron[],
  { secretValues = () => ({}) }: ModalPlaceOptions,
): Promise<(of: Branch) => Tip | undefined> {
  const pinned = changelings.filter(({ image }) => image === "pinned");
  if (pinned.length === 0) return () => undefined;
  // A repository's host only gets the token of a changeling that works on that repository.
  const tokens = new Map<string, string>();
  for (const changeling of pinned) {
    const { GITHUB_TOKEN: token } = secretValues(changeling);
    if (token !== undefined && !tokens.has(changeling.repo)) tokens.set(changeling.repo, await plainValue(token));
  }
  const look: TipOptions = {
    environment: process.env,
    checkRemotes: !pulumi.runtime.isDryRun(),
    credentials: (url, repo) => hostCredentials(url, tokens.get(repo)),
  };
  const found = await tipsOf(pinned, look);
  const tips = new Map<string, Tip>();
  const errors = new Set<string>();
  const warnings = new Set<string>();
  for (const changeling of pinned) {
    const tip = found(changeling);
    if (tip === undefined) continue;
    const problems =
      "message" in tip ? [{ ...tip, severity: "error" as const }] : pinProblems(changeling, tip, changeling);
    for (const { severity, message, remedy } of problems) {
      (severity === "error" ? errors : warnings).add(`${message}; ${remedy}`);
    }
    if ("message" in tip) continue;
    tips.set(keyOf(changeling), tip);
    const { repo } = changeling;
    // For a URL, this is only known once its tarball is built.
    const problem = isRepoUrl(repo) ? undefined : await dockerfileProblemAt({ repo, commit: tip.commit }, process.env);
    if (problem !== undefined)
      errors.add(`${repo} at ${tip.commit.slice(0, 12)}: ${problem.message}; ${problem.remedy}`);
  }
  if (errors.size > 0) throw new pulumi.RunError(`no commit can be pinned:\n${[...errors].join("\n")}`);
  if (warnings.size > 0) await pulumi.log.warn([...warnings].join("\n"));
  return (of) => tips.get(keyOf(of));
}

function keyOf({ repo, branch }: Branch): string {
  return JSON.stringify([repo, branch]);
}
