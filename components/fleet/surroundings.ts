import { dirname } from "node:path";
import { AgentTypes } from "./agent-types.ts";
import { branchFault, lookAtRepos, type Repository, repoAround } from "./branches.ts";
import type { Changeling } from "./changeling.ts";
import { agentFindings } from "./checks.ts";
import type { Declaration, Declared } from "./declare.ts";
import { error, type Finding, type KeyPath, warning } from "./fault.ts";
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

/** Where a changeling's repository is named: for the findings about it. */
interface NamedRepo {
  readonly repo: string;
  readonly path: KeyPath;
  /** Said before what is wrong, where it isn't the file that names it. */
  readonly source: string;
}

/** @param file absolute path of the fleet file */
export async function settle(file: string, declared: Declared, context: LoadContext): Promise<Settled> {
  const environment = context.environment ?? process.env;
  const findings: Finding[] = [];
  const repos = await namedRepos(file, declared.declarations, context, environment);
  const known = await lookAtRepos(
    [...repos.values()].filter(({ repo }) => urlFault(repo) === undefined).map(({ repo }) => repo),
    { environment, checkRemotes: context.checkRemotes ?? false },
  );
  const zone = defaultZone(declared.timezone, context);
  const agents = agentKnowledge(declared.mngrProfile, context.home, environment);
  const changelings = declared.declarations.map((declaration) => {
    const { name, options, place, secretsAreExplicit } = declaration;
    const named = repos.get(name);
    if (named === undefined) findings.push(noRepo(declaration));
    else findings.push(...repoFindings(declaration, named, known.get(named.repo)));
    if (options.timezone === undefined && "finding" in zone) findings.push(zone.finding);
    const type = options.agent_type ?? name;
    const around = agents(named?.repo);
    // A name that is wrong is told as such; as an agent type it would only be told again.
    if (options.agent_type !== undefined || nameFinding(name) === undefined) {
      findings.push(...agentFindings({ type, options }, around, place));
    }
    return resolved(name, options, {
      timezone: options.timezone ?? ("zone" in zone ? zone.zone : "UTC"),
      repo: named?.repo ?? "",
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

interface AgentKnowledge {
  readonly types: AgentTypes;
  readonly templates: ReadonlySet<string>;
  /** False for a repository that is elsewhere, whose own settings can't be read. */
  readonly isComplete: boolean;
}

/** @returns what is known of agents that work in a repository; undefined: of the person's alone */
function agentKnowledge(profile: string | undefined, home: string, environment: Environment) {
  const known = new Map<string, AgentKnowledge>();
  const personal = personSettingsFiles({ home, profile, environment });
  return (repo: string | undefined): AgentKnowledge => {
    const local = repo === undefined || isRepoUrl(repo) ? "" : repo;
    const found = known.get(local);
    if (found !== undefined) return found;
    const settings = readMngrSettings([...personal, ...(local === "" ? [] : repoSettingsFiles(local, environment))]);
    const around = { types: new AgentTypes(settings), templates: settings.templates, isComplete: local !== "" };
    known.set(local, around);
    return around;
  };
}
