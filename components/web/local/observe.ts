import * as pulumi from "@pulumi/pulumi";
import { plainValue } from "../../component.ts";
import { gitCredentials } from "../../git/credentials.ts";
import { installationPaths } from "../../host/installation-paths.ts";
import { type Agent, MngrError } from "../../mngr/client.ts";
import { profileMngr } from "../../mngr/profile.ts";
import { type Tip, tipsOf } from "../../source/tip.ts";
import { confirmedInstallation } from "../../stack/installation.ts";
import { webDrift } from "../agent/drift.ts";
import { isFree, readRecord, type WebRecord } from "../agent/record.ts";
import type { DeclaredWeb } from "../declared.ts";
import type { ObservedWebs } from "../observed.ts";
import { webHere } from "../this-machine.ts";
import { serversHere } from "./live-servers.ts";

export interface LocalWebsOptions {
  /** mngr_profile of the fleet. */
  readonly mngrProfile?: string | undefined;
  /** Values of its secrets by variable name. GITHUB_TOKEN reads sources on github.com. */
  readonly secretValues?: (changeling: DeclaredWeb) => Readonly<Record<string, pulumi.Input<string>>>;
}

/** What is known of a local web changeling before anything is changed. */
export interface LocalWeb {
  /** Its agent's id; undefined before the first `pulumi up`. */
  readonly agentId: string | undefined;
  /** The tip of its source's branch; undefined if it has no source, or git could not read it. */
  readonly commit: string | undefined;
  readonly drift: string | undefined;
}

/** The observed state of this machine's web changelings. */
export interface LocalWebs extends ObservedWebs {
  readonly mngrProfile: string | undefined;
  of(changeling: DeclaredWeb): LocalWeb;
}

/**
 * Observes a stack's web changelings on this machine and their sources, once for all of them. Warns about what can't be
 * observed, which then shows no change.
 */
export async function localWebs(
  changelings: readonly DeclaredWeb[],
  options: LocalWebsOptions = {},
): Promise<LocalWebs> {
  const installation = await confirmedInstallation();
  const paths = installationPaths(installation);
  const records = new Map(
    changelings.map(({ name, renamedFrom }) => {
      const own = readRecord(paths, name);
      const former = renamedFrom === undefined ? undefined : readRecord(paths, renamedFrom);
      return [name, isFree(own) ? (former ?? own) : own];
    }),
  );
  const known = [...records.values()].filter((record) => record !== undefined);
  const [tips, agents] = await Promise.all([sourceTips(changelings, options), agentsOf(known)]);
  const webs = {
    installation,
    mngrProfile: options.mngrProfile,
    of(changeling: DeclaredWeb): LocalWeb {
      const record = records.get(changeling.name);
      return {
        agentId: record?.agentId,
        commit: tips(changeling)?.commit,
        drift: webDrift(record, record && agents.get(record.mngrProfile)),
      };
    },
  };
  return {
    ...webs,
    deploy: (parent, args) => webHere(parent, args, { ...webs, suffix: "agent", servers: serversHere }),
  };
}

/** The tips of the branches that web changelings are made from. Warns about those that git can't read. */
export async function sourceTips(
  changelings: readonly DeclaredWeb[],
  { secretValues = () => ({}) }: Pick<LocalWebsOptions, "secretValues">,
): Promise<(of: DeclaredWeb) => Tip | undefined> {
  const sources = changelings.flatMap((each) => (each.source === undefined ? [] : [{ ...each, repo: each.source }]));
  if (sources.length === 0) return () => undefined;
  const [token] = sources.flatMap((each) => secretValues(each)["GITHUB_TOKEN"] ?? []);
  const plain = token === undefined ? undefined : await plainValue(token);
  const found = await tipsOf(sources, {
    environment: process.env,
    checkRemotes: false,
    credentials: (url) => gitCredentials(url, plain),
  });
  const tips = new Map<string, Tip>();
  const warnings = new Set<string>();
  for (const source of sources) {
    const tip = found(source);
    if (tip === undefined) continue;
    if ("message" in tip) warnings.add(`${source.name}: ${tip.message}; ${tip.remedy}`);
    else tips.set(source.name, tip);
    if (!("message" in tip) && tip.isDirty) {
      warnings.add(`${source.name}: uncommitted changes in ${source.repo} are not deployed; commit them first`);
    }
  }
  if (warnings.size > 0) await pulumi.log.warn([...warnings].join("\n"));
  return ({ name }) => tips.get(name);
}

/** Agents by mngr profile, without profiles whose mngr can't be read. */
async function agentsOf(records: readonly WebRecord[]): Promise<ReadonlyMap<string | undefined, readonly Agent[]>> {
  const deployed = records.filter(({ removed, applied }) => removed !== true && applied !== undefined);
  const profiles = [...new Set(deployed.map(({ mngrProfile }) => mngrProfile))];
  const found = new Map<string | undefined, readonly Agent[]>();
  for (const profile of profiles) {
    try {
      const { agents } = await profileMngr(profile, process.env).list();
      found.set(profile, agents);
    } catch (error) {
      if (!(error instanceof MngrError)) throw error;
      await pulumi.log.warn(
        `The state of the web changelings could not be read, so drift is not shown: ${error.message}`,
      );
    }
  }
  return found;
}
