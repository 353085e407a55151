import { messageOf } from "../../lib/as-error.ts";
import { changelingCommand, upCommand as up } from "../../lib/own-commands.ts";
import type { Agent, Listed } from "../../mngr/client.ts";
import { profileMngr } from "../../mngr/profile.ts";
import { type Check, failed, ok, warning } from "../../stack/check.ts";
import { dockerCheck } from "../../stack/docker-check.ts";
import {
  type DeclaredPart,
  type Diagnosis,
  type Examination,
  type InspectedStack,
  includesProvider,
} from "../../stack/inspection.ts";
import { listedAgent } from "../agent/listed-agent.ts";
import { readRecords, type WebRecord } from "../agent/record.ts";
import type { DeclaredWeb } from "../declared.ts";
import type { ForwardingSettings } from "../forwarding/declared.ts";
import { mngrKeyOf } from "../forwarding/program/discovery/mngr-of.ts";
import type { Provider } from "../options.ts";
import { providers } from "../providers.ts";
import { forwardingCheck } from "./forwarding-check.ts";
import { mngrFor, stateOf } from "./list.ts";

/**
 * Checks the web changelings that this machine knows, their agents, and the forwarding server. mngr takes seconds, so the
 * queries for agents in the records start at once; only the rest waits for the fleet.
 */
export async function diagnoseWeb(
  stack: InspectedStack,
  examination: Examination<DeclaredWeb, ForwardingSettings>,
): Promise<Diagnosis> {
  const existing = readRecords(stack.paths).filter(
    ({ removed, provider }) => removed !== true && includesProvider(stack, provider),
  );
  const local = localLists(existing);
  const { changelings, settings, mngrProfile } = await examination.declared;
  const declared = changelings.filter(({ provider }) => includesProvider(stack, provider));
  const missing = declared.filter(({ name }) => !existing.some((record) => record.name === name));
  const docker = usesDocker(existing, declared, settings) ? dockerCheck() : undefined;
  const [forwarding, agents] = await Promise.all([
    existing.length === 0 ? undefined : forwardingCheck(stack, settings),
    agentChecks(stack, existing, { profile: mngrProfile, local, docker }),
  ]);
  const daemon = await docker;
  const deployed = [
    ...(daemon === undefined ? [] : [daemon]),
    ...(forwarding === undefined ? [] : [forwarding]),
    ...agents,
    ...missing.map(({ name }) => warning(`agent of ${name}`, "declared, but not yet deployed from this machine", up())),
  ];
  return { deployed };
}

type Profile = string | undefined;
type List = Promise<Listed>;

/** Starts the listings of the local mngr that the records need, by profile. */
function localLists(existing: readonly WebRecord[]): Map<Profile, List> {
  const here = existing.filter(({ provider }) => provider === "local");
  return new Map([...new Set(here.map(({ mngrProfile }) => mngrProfile))].map((each) => [each, localList(each)]));
}

function localList(profile: Profile): List {
  const list = profileMngr(profile, process.env).list(["local"]);
  // It is awaited later; until then a rejection would be unhandled.
  list.catch(() => {});
  return list;
}

function usesDocker(
  existing: readonly WebRecord[],
  declared: readonly DeclaredWeb[],
  settings: DeclaredPart<DeclaredWeb, ForwardingSettings>["settings"],
) {
  const hasServer = settings?.forwarding.provider === "docker" && existing.length + declared.length > 0;
  return hasServer || [...existing, ...declared].some(({ provider }) => provider === "docker");
}

/** A listing by mngr, and the agents that it should contain. */
interface AgentListing {
  readonly provider: Provider;
  readonly list: () => List;
  readonly own: readonly WebRecord[];
}

interface Known {
  /** The fleet's profile, which is also searched for orphans on this machine. */
  readonly profile: Profile;
  readonly local: ReadonlyMap<Profile, List>;
  /** If Docker is not reachable, its agents are not checked: one error is enough. */
  readonly docker: Promise<Check> | undefined;
}

async function agentChecks(
  stack: InspectedStack,
  existing: readonly WebRecord[],
  { profile, local, docker }: Known,
): Promise<Check[]> {
  const profiles = includesProvider(stack, "local") ? new Set([profile, ...local.keys()]) : [];
  const away = existing.filter(({ provider }) => provider !== "local");
  const listings: AgentListing[] = [
    ...[...profiles].map((each) => ({
      provider: "local" as const,
      list: () => local.get(each) ?? localList(each),
      own: existing.filter(({ provider, mngrProfile }) => provider === "local" && mngrProfile === each),
    })),
    ...[...Map.groupBy(away, mngrKeyOf).values()].flatMap((own) => {
      const [first] = own;
      if (first === undefined) return [];
      return [
        {
          provider: first.provider,
          list: async () => (await mngrFor(first, stack.paths)).list([first.provider]),
          own,
        },
      ];
    }),
  ];
  const checks = listings.map(async ({ provider, list, own }): Promise<Check[]> => {
    if (provider === "docker" && (await docker)?.status !== "ok") return [];
    try {
      const { agents, isComplete } = await list();
      return [...stateChecks(own, agents, isComplete), ...orphanAgents(own, agents, stack.installation)];
    } catch (error) {
      // A missing mngr is reported by the tool checks.
      return own.length === 0
        ? []
        : [failed(provider === "local" ? "web agents" : `web agents ${providers[provider].where}`, messageOf(error))];
    }
  });
  return (await Promise.all(checks)).flat();
}

function stateChecks(existing: readonly WebRecord[], agents: readonly Agent[], isComplete: boolean): Check[] {
  return existing.map((record): Check => {
    const { name, applied } = record;
    const what = `agent of ${name}`;
    const enabled = applied?.enabled ?? true;
    const state = stateOf(listedAgent(record, agents), { enabled, isComplete });
    if (applied === undefined) {
      return failed(
        what,
        "it never started",
        `${changelingCommand()} update ${name}, or undo it with: ${changelingCommand()} destroy ${name}`,
      );
    }
    if (state === "gone") return failed(what, "mngr no longer knows it; its repository and data still exist", up());
    if (state === "died")
      return failed(what, "its process ended", `start it with: ${changelingCommand()} start ${name}`);
    if (state === "not running")
      return failed(what, "stopped by hand", `start it with: ${changelingCommand()} start ${name}`);
    if (state === "unknown") return warning(what, "mngr does not report its state");
    return ok(what, !enabled && state === "running" ? "running, although it should be stopped" : state);
  });
}

/** Agents with this installation's label that no record names: a record was lost, or a removal was interrupted. */
export function orphanAgents(records: readonly WebRecord[], agents: readonly Agent[], installation: string): Check[] {
  const known = new Set(records.flatMap(({ agentId, removed }) => (removed === true ? [] : [agentId])));
  return agents
    .filter(({ labels }) => labels["changelings_installation"] === installation && labels["changeling_kind"] === "web")
    .filter(({ id }) => !known.has(id))
    .map(({ id, name, host }) => {
      const isElsewhere = host !== undefined && host.provider_name !== "local";
      const remedy = isElsewhere
        ? `remove its machine with: mngr destroy @${host.name}.${host.provider_name} --force; its volumes stay`
        : `remove it with: mngr destroy ${id} --force; its folders stay`;
      return failed(`orphan agent ${name}`, `no changeling of this stack has it (${id})`, remedy);
    });
}
