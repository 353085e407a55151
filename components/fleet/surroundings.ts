import { dirname } from "node:path";
import { resolvedCron } from "../cron/declared.ts";
import { cloneFinder, type NamedRepo } from "../cron/modal/clones.ts";
import { ianaZone, zoneRemedy } from "../cron/zone.ts";
import { lookAtRepos, type Repository, repoAround } from "../git/refs.ts";
import { absoluteRepo, urlFault } from "../git/repo-name.ts";
import { cronAgentFindings } from "./agent-checks.ts";
import { type AgentFinder, agentFinder } from "./agents.ts";
import type { Changeling, DeclaredCron } from "./changeling.ts";
import { repoFindings, runFindings } from "./checks.ts";
import type { CronDeclaration, Declared } from "./declare.ts";
import { error, type Finding, foundWith } from "./diagnostics.ts";
import type { LoadContext } from "./load.ts";
import { nameFinding } from "./names.ts";

/** A file's declarations, decided and checked against what is around them: repositories, mngr's settings, the zone. */
export interface Settled {
  readonly changelings: readonly Changeling[];
  readonly findings: readonly Finding[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** What both kinds are checked against. */
export interface Surroundings {
  /** What was seen of the repositories, by their absolute paths and URLs. */
  readonly known: ReadonlyMap<string, Repository>;
  readonly agents: AgentFinder;
  readonly findings: Finding[];
  readonly around: { readonly environment: Environment; readonly home: string };
}

/** @param file absolute path of the fleet file */
export async function settle(file: string, declared: Declared, context: LoadContext): Promise<Settled> {
  const environment = context.environment ?? process.env;
  const crons = declared.declarations.filter((declaration) => declaration.kind === "cron");
  const webs = declared.declarations.filter((declaration) => declaration.kind === "web");
  const folders = { folder: dirname(file), home: context.home };
  const repos = await namedRepos(file, crons, context, environment);
  // Loaded for who has one.
  const web = webs.length === 0 ? undefined : await import("../web/kind.ts");
  const sources = web?.sourcesOf(webs, folders) ?? new Map<string, NamedRepo>();
  const onModal = crons.flatMap((declaration) => {
    const named = repos.get(declaration.name);
    return declaration.options.provider === "modal" && named !== undefined ? [{ declaration, named }] : [];
  });
  const known = await lookAtRepos(
    [...repos.values(), ...sources.values()].map(({ repo }) => repo).filter((repo) => urlFault(repo) === undefined),
    {
      environment,
      checkRemotes: context.checkRemotes ?? false,
      remotesOf: new Set(onModal.map(({ named }) => named.repo)),
    },
  );
  const cloneOf = cloneFinder(known, environment);
  const clones = new Map(
    await Promise.all(
      onModal.map(async ({ declaration, named }) => [declaration.name, await cloneOf(declaration, named)] as const),
    ),
  );
  const findings: Finding[] = [];
  const surroundings = {
    known,
    agents: agentFinder(declared.mngrProfile, context.home, environment),
    findings,
    around: { environment, home: context.home },
  };
  const zone = crons.length === 0 ? { zone: "UTC" } : defaultZone(declared.timezone, context);
  const changelings: Changeling[] = [
    ...crons.map((declaration) => {
      const named = repos.get(declaration.name);
      const clone = clones.get(declaration.name);
      const own: Finding[] = [...(clone?.findings ?? [])];
      const settled = settledCron(
        declaration,
        { named, remote: clone?.remote, zone },
        { ...surroundings, findings: own },
      );
      findings.push(...foundWith(declaration.name, own));
      return settled;
    }),
    ...((await web?.settleWebs(webs, { sources, folders }, surroundings)) ?? []),
  ];
  changelings.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { changelings, findings };
}

interface Around {
  readonly named: NamedRepo | undefined;
  readonly remote: string | undefined;
  readonly zone: { zone: string } | { finding: Finding };
}

function settledCron(
  declaration: CronDeclaration,
  { named, remote, zone }: Around,
  { known, agents, findings, around }: Surroundings,
): DeclaredCron {
  const { name, options, place, secretsAreExplicit } = declaration;
  if (named === undefined) findings.push(noRepo(declaration));
  else {
    const repository = known.get(named.repo);
    findings.push(...repoFindings(declaration, named, repository));
    if (repository !== undefined && "branches" in repository)
      findings.push(...runFindings(declaration, named, repository, around));
  }
  if (options.timezone === undefined && "finding" in zone) findings.push(zone.finding);
  const type = options.agent_type ?? name;
  const knowledge = agents.forCron(options.provider, named?.repo);
  // A name that is wrong is told as such; as an agent type it would only be told again.
  if (options.agent_type !== undefined || nameFinding(name) === undefined) {
    findings.push(...cronAgentFindings({ type, options }, knowledge, place));
  }
  return resolvedCron(name, options, {
    timezone: options.timezone ?? ("zone" in zone ? zone.zone : "UTC"),
    repo: named?.repo ?? "",
    remote,
    isConversational: knowledge.types.base(type) === "claude",
    secretsAreExplicit,
  });
}

/** The repository of each changeling that has one: its own, the stack's, or the one around the file. */
async function namedRepos(
  file: string,
  declarations: readonly CronDeclaration[],
  { repo: ofStack, folder = process.cwd(), home }: LoadContext,
  environment: Environment,
): Promise<ReadonlyMap<string, NamedRepo>> {
  const needsDefault = declarations.some(({ options }) => options.repo === undefined);
  const byDefault = needsDefault ? await defaultRepo() : undefined;
  const repos = new Map<string, NamedRepo>();
  for (const { name, options, place } of declarations) {
    const own = options.repo === undefined ? undefined : absoluteRepo(options.repo, { folder: dirname(file), home });
    if (own !== undefined) repos.set(name, { repo: own, path: place("repo"), source: "" });
    else if (byDefault !== undefined) repos.set(name, byDefault);
  }
  return repos;

  async function defaultRepo(): Promise<NamedRepo | undefined> {
    if (ofStack !== undefined) {
      return { repo: absoluteRepo(ofStack, { folder, home }), path: [], source: "the stack's changelings:repo: " };
    }
    const around = await repoAround(dirname(file), environment);
    return around === undefined ? undefined : { repo: around, path: [], source: "the repository around the file: " };
  }
}

function noRepo({ place }: CronDeclaration): Finding {
  return error(
    place("repo"),
    "no repository is set, and the fleet file is not in one",
    'write repo = "<path or URL>" here or below [defaults], or: pulumi config set changelings:repo <path or URL>',
  );
}

/** The zone of who names none. */
function defaultZone(ofFile: string | undefined, context: LoadContext): { zone: string } | { finding: Finding } {
  if (ofFile !== undefined) return { zone: ofFile };
  const set = "pulumi config set changelings:timezone";
  if (context.timezone !== undefined) {
    if (ianaZone(context.timezone) !== undefined) return { zone: context.timezone };
    const message = `the stack's changelings:timezone: there is no time zone "${context.timezone}"`;
    return {
      finding: error(
        [],
        message,
        zoneRemedy(context.timezone, (zone) => `${set} ${zone}`),
      ),
    };
  }
  const remedy = `write timezone = "Europe/Berlin" (yours) at the top of the file, or: ${set} Europe/Berlin`;
  if (context.ci) return { finding: error([], "no time zone is set, and that of a CI machine is arbitrary", remedy) };
  if (ianaZone(context.machineTimezone) !== undefined) return { zone: context.machineTimezone };
  return { finding: error([], "no time zone is set, and this machine has none", remedy) };
}
