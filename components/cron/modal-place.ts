import * as pulumi from "@pulumi/pulumi";
import type { Changeling } from "../fleet/index.ts";
import { modalClient } from "../modal/client.ts";
import { personEnvironment, personIdentity } from "../modal/identity.ts";
import { ModalError } from "../modal/modal-error.ts";
import { ModalHome } from "../modal/modal-home.ts";
import { checkSecretValues } from "../modal/secret-values.ts";
import { type ModalSite, modalSite } from "../modal/site.ts";
import { type ModalToken, modalToken } from "../modal/token.ts";
import { type Branch, pinProblems, type Tip, tipsOf } from "../source/commit.ts";
import { snapshotNeeds } from "../source/snapshot.ts";
import { ModalPlace, snapshotNeed } from "./modal-resources.ts";

export interface ModalPlaceOptions {
  /** mngr_profile of the fleet. */
  readonly mngrProfile?: string | undefined;
  /** A token that the stack's config holds, for who sets none in the environment. */
  readonly stackToken?: ModalToken | undefined;
  /** The values that each gets, to be checked before anything is touched. */
  readonly secretValues?: (changeling: Changeling) => Readonly<Record<string, pulumi.Input<string>>>;
}

/**
 * Where a stack's changelings go on Modal, and what is live there: asked once, whatever their number.
 *
 * @param changelings those with provider "modal"
 * @throws pulumi.RunError in an update when Modal can't be asked, in words for the whole fleet, before anything is
 * touched; a preview warns, and knows of no drift then. Both: when commits can't be pinned, or secrets can't be sent,
 * with all reasons.
 */
export async function modalPlace(
  changelings: readonly Changeling[],
  options: ModalPlaceOptions = {},
): Promise<ModalPlace> {
  const stack = pulumi.getStack();
  const token = tokenOf(options);
  const [site, tips] = await Promise.all([
    whatIsLive(stack, options),
    pinnedTips(changelings, options),
    checkSecrets(changelings, options),
  ]);
  const home = new ModalHome("modal", { stack, token, site, mngrProfile: options.mngrProfile });
  const needs = snapshotNeeds(changelings.filter(({ image }) => image === "snapshot").map(snapshotNeed));
  const { mngrProfile, stackToken } = options;
  return new ModalPlace({ stack, home, site, tips, needs, mngrProfile, stackToken });
}

async function checkSecrets(
  changelings: readonly Changeling[],
  { secretValues = () => ({}) }: ModalPlaceOptions,
): Promise<void> {
  const faults: string[] = [];
  for (const changeling of changelings) {
    const entries = Object.entries(secretValues(changeling)).map(async ([name, value]) => [name, await plain(value)]);
    try {
      checkSecretValues(changeling.name, Object.fromEntries(await Promise.all(entries)));
    } catch (error) {
      if (!(error instanceof ModalError)) throw error;
      faults.push(error.message);
    }
  }
  if (faults.length > 0) throw new pulumi.RunError(faults.join("\n"));
}

function plain(value: pulumi.Input<string>): Promise<string> {
  return new Promise((resolve) => {
    pulumi.output(value).apply(resolve);
  });
}

/** Half a token is said when Modal is asked. */
function tokenOf({ stackToken }: ModalPlaceOptions): ModalToken | undefined {
  try {
    return modalToken(process.env, stackToken);
  } catch (error) {
    if (error instanceof ModalError) return undefined;
    throw error;
  }
}

async function whatIsLive(
  stack: string,
  { mngrProfile, stackToken }: ModalPlaceOptions,
): Promise<ModalSite | undefined> {
  try {
    const client = modalClient({ token: modalToken(process.env, stackToken), env: process.env });
    const person = personIdentity(process.env, { profile: mngrProfile });
    return await modalSite({ stack, client, localEnvironment: personEnvironment(person) });
  } catch (error) {
    if (!(error instanceof ModalError)) throw error;
    if (!pulumi.runtime.isDryRun()) throw new pulumi.RunError(error.message);
    await pulumi.log.warn(`What stands on Modal is not known, so drift does not show: ${error.message}`);
    return undefined;
  }
}

/** The commit that each `pinned` changeling starts from. */
async function pinnedTips(
  changelings: readonly Changeling[],
  { secretValues = () => ({}) }: ModalPlaceOptions,
): Promise<(of: Branch) => Tip | undefined> {
  const pinned = changelings.filter(({ image }) => image === "pinned");
  if (pinned.length === 0) return () => undefined;
  const [token] = pinned.flatMap((changeling) => secretValues(changeling)["GITHUB_TOKEN"] ?? []);
  const look = {
    environment: process.env,
    checkRemotes: !pulumi.runtime.isDryRun(),
    token: token === undefined ? undefined : await plain(token),
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
    if (!("message" in tip)) tips.set(keyOf(changeling), tip);
  }
  if (errors.size > 0) throw new pulumi.RunError(`no commit can be pinned:\n${[...errors].join("\n")}`);
  if (warnings.size > 0) await pulumi.log.warn([...warnings].join("\n"));
  return (of) => tips.get(keyOf(of));
}

function keyOf({ repo, branch }: Branch): string {
  return JSON.stringify([repo, branch]);
}
