import type { DeclaredWeb, Fleet, Provider } from "../../components/fleet/index.ts";
import type { Agent, Mngr } from "../../components/mngr/client.ts";
import { profileMngr } from "../../components/mngr/profile-mngr.ts";
import { mngrKeyOf } from "../../components/web/forwarding/program/discovery/mngr-of.ts";
import { readRecords, type WebRecord } from "../../components/web/record.ts";
import { installationOf } from "../stack.ts";
import { type Check, failed, ok, warning } from "./check.ts";
import { type Context, looksAt } from "./context.ts";
import { dockerCheck } from "./doctor-docker.ts";
import { forwardingCheck } from "./doctor-forwarding.ts";
import { asError } from "./modal-side.ts";
import { mngrFor, stateOf } from "./web-side.ts";

/** What a person runs to bring it in line with what is declared. */
const up = "npm run pulumi -- up";

/** The web changelings of a stack as far as this machine knows, their agents, and what they are reached by. */
export async function doctorWeb(context: Context, fleet: Fleet | undefined): Promise<Check[]> {
  const standing = readRecords(context.paths).filter(
    ({ removed, provider }) => removed !== true && looksAt(context, provider),
  );
  const declared = (fleet?.changelings ?? []).filter(
    (changeling): changeling is DeclaredWeb => changeling.kind === "web" && looksAt(context, changeling.provider),
  );
  const missing = declared.filter(({ name }) => !standing.some((record) => record.name === name));
  const docker = usesDocker(standing, declared, fleet) ? await dockerCheck() : undefined;
  const [forwarding, agents] = await Promise.all([
    standing.length === 0 ? undefined : forwardingCheck(context, fleet),
    agentChecks(context, standing, { profile: fleet?.mngrProfile, isDockerUp: docker?.status === "ok" }),
  ]);
  return [
    ...(docker === undefined ? [] : [docker]),
    ...(forwarding === undefined ? [] : [forwarding]),
    ...agents,
    ...missing.map(({ name }) => warning(`agent of ${name}`, "declared, and not deployed from here yet", up)),
  ];
}

function usesDocker(standing: readonly WebRecord[], declared: readonly DeclaredWeb[], fleet: Fleet | undefined) {
  const hasServer = fleet?.forwarding.provider === "docker" && standing.length + declared.length > 0;
  return hasServer || [...standing, ...declared].some(({ provider }) => provider === "docker");
}

/** One mngr, and what it should show. */
interface Look {
  readonly provider: Provider;
  readonly mngr: Promise<Mngr>;
  readonly own: readonly WebRecord[];
}

interface Known {
  readonly profile: string | undefined;
  /** Else its agents are not looked for: that it is not is told once. */
  readonly isDockerUp: boolean;
}

async function agentChecks(
  context: Context,
  standing: readonly WebRecord[],
  { profile, isDockerUp }: Known,
): Promise<Check[]> {
  const here = standing.filter(({ provider }) => provider === "local");
  const profiles = new Set([profile, ...here.map(({ mngrProfile }) => mngrProfile)]);
  // On this machine also what nobody has is looked for.
  const local = looksAt(context, "local") ? [...profiles] : [];
  const away = standing.filter(({ provider }) => provider === "modal" || (provider === "docker" && isDockerUp));
  const looks: Look[] = [
    ...local.map((each) => ({
      provider: "local" as const,
      mngr: Promise.resolve(profileMngr(each, process.env)),
      own: here.filter(({ mngrProfile }) => mngrProfile === each),
    })),
    ...[...Map.groupBy(away, mngrKeyOf).values()].flatMap((own) => {
      const [first] = own;
      return first === undefined ? [] : [{ provider: first.provider, mngr: mngrFor(first, context.paths), own }];
    }),
  ];
  const installation = installationOf(context.stack);
  const checks = looks.map(async ({ provider, mngr, own }): Promise<Check[]> => {
    try {
      const { agents, isComplete } = await (await mngr).list([provider]);
      return [...standingChecks(own, agents, isComplete), ...orphanAgents(own, agents, installation)];
    } catch (error) {
      // Where mngr itself is missing, the tools' checks say it.
      return own.length === 0 ? [] : [failed(`web agents${whereWords[provider]}`, asError(error).message)];
    }
  });
  return (await Promise.all(checks)).flat();
}

const whereWords = { local: "", docker: " in Docker", modal: " on Modal" };

function standingChecks(standing: readonly WebRecord[], agents: readonly Agent[], isComplete: boolean): Check[] {
  return standing.map(({ name, agentId, applied }): Check => {
    const what = `agent of ${name}`;
    const enabled = applied?.enabled ?? true;
    const state = stateOf(
      agents.find(({ id }) => id === agentId),
      { enabled, isComplete },
    );
    if (applied === undefined) {
      return failed(
        what,
        "it never came up",
        `changeling update ${name}, or take it back with: changeling destroy ${name}`,
      );
    }
    if (state === "gone") return failed(what, "mngr knows it no more; its repo and data are still there", up);
    if (state === "died") return failed(what, "its process ended", `start it with: changeling start ${name}`);
    if (state === "not running") return failed(what, "stopped by hand", `start it with: changeling start ${name}`);
    if (state === "unknown") return warning(what, "mngr could not tell its state");
    return ok(what, !enabled && state === "running" ? "running, although it is declared stopped" : state);
  });
}

/** Agents that carry this installation's label and are nobody's: a record was lost, or a removal was cut short. */
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
