import { dirname } from "node:path";
import { AgentTypes } from "./agent-types.ts";
import { branchFault, lookAtRepos, type Repository, repoAround } from "./branches.ts";
import type { Changeling, Provider } from "./changeling.ts";
import { type AgentKnowledge, agentFindings } from "./checks.ts";
import { cloneFinder, type NamedRepo } from "./clones.ts";
import type { Declaration, Declared } from "./declare.ts";
import { error, type Finding, warning } from "./fault.ts";
import type { LoadContext } from "./load.ts";
import { personSettingsFiles, readMngrSettings, repoSettingsFiles } from "./mngr-settings.ts";
import { nameFinding } from "./names.ts";
import { absoluteRepo, isBranchName, isRepoUrl, urlFault } from "./repo.ts";
import { resolved } from "./resolve.ts";
import { ianaZone, zoneRemedy } from "./zone.ts";

/** A file's declarations, decided and checked against what is around them: repositories, mngr's settings, the zone. */
export interface Settled {
  readonly changelings: readonly Changeling[];
  readonly findings: readonly Finding[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @param file absolute path of the fleet file */
export async function settle(file: string, declared: Declared, context: LoadContext): Promise<Settled> {
  const environment = context.environment ?? process.env;
  const findings: Finding[] = [];
  const repos = await namedRepos(file, declared.declarations, context, environment);
  const onModal = declared.declarations.flatMap((declaration) => {
    const named = repos.get(declaration.name);
    return declaration.options.provider === "modal" && named !== undefined ? [{ declaration, named }] : [];
  });
  const known = await lookAtRepos(
    [...repos.values()].filter(({ repo }) => urlFault(repo) === undefined).map(({ repo }) => repo),
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
  const zone = defaultZone(declared.timezone, context);
  const agents = agentKnowledge(declared.mngrProfile, context.home, environment);
  const changelings = declared.declarations.map((declaration) => {
    const { name, options, place, secretsAreExplicit } = declaration;
    const named = repos.get(name);
    if (named === undefined) findings.push(noRepo(declaration));
    else findings.push(...repoFindings(declaration, named, known.get(named.repo)));
    const clone = clones.get(name);
    findings.push(...(clone?.findings ?? []));
    if (options.timezone === undefined && "finding" in zone) findings.push(zone.finding);
    const type = options.agent_type ?? name;
    const around = agents(options.provider, named?.repo);
    // A name that is wrong is told as such; as an agent type it would only be told again.
    if (options.agent_type !== undefined || nameFinding(name) === undefined) {
      findings.push(...agentFindings({ type, options }, around, place));
    }
    return resolved(name, options, {
      timezone: options.timezone ?? ("zone" in zone ? zone.zone : "UTC"),
      repo: named?.repo ?? "",
      remote: clone?.remote,
      isConversational: around.types.base(type) === "claude",
      secretsAreExplicit,
    });
  });
  changelings.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { changelings, findings };
}

/** The repository of each changeling that has one: its own, the stack's, or the one around the file. */
async function namedRepos(
  file: string,
  declarations: readonly Declaration[],
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

function noRepo({ place }: Declaration): Finding {
  return error(
    place("repo"),
    "no repository is named to work on, and none is around the fleet file",
    'write repo = "<path or URL>" here or below [defaults], or: pulumi config set changelings:repo <path or URL>',
  );
}

function repoFindings({ options, place }: Declaration, named: NamedRepo, known: Repository | undefined): Finding[] {
  if (known === undefined) {
    const fault = options.repo === undefined ? urlFault(named.repo) : undefined;
    return fault === undefined ? [] : [error(named.path, named.source + fault.message, fault.remedy)];
  }
  if ("message" in known) {
    return [(known.isCertain ? error : warning)(named.path, named.source + known.message, known.remedy)];
  }
  const fault = isBranchName(options.branch) ? branchFault(options.branch, known.branches) : undefined;
  return fault === undefined ? [] : [error(place("branch"), fault.message, fault.remedy)];
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
  if (context.ci) return { finding: error([], "no time zone is set, and a CI machine's own means nothing", remedy) };
  if (ianaZone(context.machineTimezone) !== undefined) return { zone: context.machineTimezone };
  return { finding: error([], "no time zone is set, and this machine has none", remedy) };
}

/** @returns what is known of agents that work in a repository, with a provider; undefined: of the person's alone */
function agentKnowledge(profile: string | undefined, home: string, environment: Environment) {
  const known = new Map<string, AgentKnowledge>();
  const personal = personSettingsFiles({ home, profile, environment });
  return (provider: Provider, repo: string | undefined): AgentKnowledge => {
    const key = provider === "modal" ? "on modal" : repo === undefined || isRepoUrl(repo) ? "elsewhere" : repo;
    const found = known.get(key);
    if (found !== undefined) return found;
    const ofRepo = key === repo ? repoSettingsFiles(repo, environment) : [];
    const settings = readMngrSettings([...personal, ...ofRepo]);
    const about = { types: new AgentTypes(settings), templates: settings.templates };
    // Where the schedule fires there is no repository: the person's settings are all that counts.
    const around =
      provider === "modal"
        ? {
            ...about,
            isComplete: personal.length > 0,
            settingsFile: personal[0] ?? "your mngr settings",
            isOwnAlone: true,
          }
        : { ...about, isComplete: ofRepo.length > 0, settingsFile: ".mngr/settings.toml", isOwnAlone: false };
    known.set(key, around);
    return around;
  };
}
