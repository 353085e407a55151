import { type AgentKnowledge, AgentTypes } from "../fleet/agents.ts";
import { type NamedRepo, repoDiagnostics } from "../fleet/checks.ts";
import { type Diagnostic, error, foundWith } from "../fleet/diagnostics.ts";
import type { Declaration, LoadContext, Resolution, ResolveContext } from "../fleet/kind.ts";
import { namedRepos, noRepo } from "../fleet/named-repos.ts";
import { nameDiagnostic } from "../fleet/names.ts";
import type { Repository } from "../git/refs.ts";
import { isRepoUrl, urlProblem } from "../git/repo-name.ts";
import { orSetting, settingCommand } from "../lib/own-commands.ts";
import { cronAgentDiagnostics } from "./checks.ts";
import { type DeclaredCron, resolvedCron } from "./declared.ts";
import { type Clone, cloneFinder } from "./modal/clones.ts";
import type { CronOptions, CronProvider } from "./options.ts";
import { runDiagnostics } from "./repo-checks.ts";
import type { CronKeys } from "./settings.ts";
import { ianaZone, zoneRemedy } from "./zone.ts";

export type CronDeclaration = Declaration<CronOptions>;

/** Resolves the scheduled changelings and checks them against their repositories, mngr's settings and the time zone. */
export async function resolveCrons(
  declarations: readonly CronDeclaration[],
  context: ResolveContext,
  { timezone }: CronKeys,
): Promise<Resolution<DeclaredCron>> {
  const repos = await namedRepos(declarations, context);
  const onModal = declarations.flatMap((declaration) => {
    const named = repos.get(declaration.name);
    return declaration.options.provider === "modal" && named !== undefined ? [{ declaration, named }] : [];
  });
  const known = await context.repositories(
    [...repos.values()].map(({ repo }) => repo).filter((repo) => urlProblem(repo) === undefined),
    { remotesOf: new Set(onModal.map(({ named }) => named.repo)) },
  );
  const cloneOf = cloneFinder(known, context.environment);
  const clones = new Map(
    await Promise.all(
      onModal.map(async ({ declaration, named }) => [declaration.name, await cloneOf(declaration, named)] as const),
    ),
  );
  const zone = defaultZone(timezone, context);
  const knowledgeOf = agentKnowledge(context);
  const diagnostics: Diagnostic[] = [];
  const changelings = declarations.map((declaration) => {
    const { name, options } = declaration;
    const named = repos.get(name);
    const own: Diagnostic[] = [];
    const around = {
      named,
      repository: named && known.get(named.repo),
      clone: clones.get(name),
      zone,
      knowledge: knowledgeOf(options.provider, named?.repo),
      context,
    };
    const resolved = resolve(declaration, around, own);
    diagnostics.push(...foundWith(name, own));
    return resolved;
  });
  return { changelings, diagnostics };
}

interface CronInputs {
  readonly named: NamedRepo | undefined;
  /** What was observed; undefined if the repository was not read. */
  readonly repository: Repository | undefined;
  readonly clone: Clone | undefined;
  readonly zone: { readonly zone: string } | { readonly diagnostic: Diagnostic };
  readonly knowledge: AgentKnowledge;
  readonly context: ResolveContext;
}

function resolve(
  declaration: CronDeclaration,
  { named, repository, clone, zone, knowledge, context }: CronInputs,
  diagnostics: Diagnostic[],
): DeclaredCron {
  const { name, options, place, secretsAreExplicit } = declaration;
  diagnostics.push(...(clone?.diagnostics ?? []));
  if (named === undefined) diagnostics.push(noRepo(declaration));
  else {
    diagnostics.push(...repoDiagnostics(declaration, named, repository));
    if (repository !== undefined && "branches" in repository)
      diagnostics.push(...runDiagnostics(declaration, named, repository, context));
  }
  if (options.timezone === undefined && "diagnostic" in zone) diagnostics.push(zone.diagnostic);
  const type = options.agent_type ?? name;
  // An invalid name is already reported; don't report it again as an agent type.
  if (options.agent_type !== undefined || nameDiagnostic(name) === undefined) {
    diagnostics.push(...cronAgentDiagnostics({ type, options }, knowledge, place));
  }
  return resolvedCron(name, options, {
    timezone: options.timezone ?? ("zone" in zone ? zone.zone : "UTC"),
    repo: named?.repo ?? "",
    remote: clone?.remote,
    isConversational: knowledge.types.base(type) === "claude",
    secretsAreExplicit,
  });
}

/** The agent types and templates available for a provider and repository; each is read once. */
function agentKnowledge({ mngrSettings }: ResolveContext) {
  const known = new Map<string, AgentKnowledge>();
  return (provider: CronProvider, repo: string | undefined): AgentKnowledge => {
    const here = repo === undefined || isRepoUrl(repo) ? undefined : repo;
    const key = provider === "modal" ? "on modal" : `here ${here}`;
    const found = known.get(key) ?? (provider === "modal" ? onModal() : inRepository(here));
    known.set(key, found);
    return found;
  };

  /** Modal has no repository when the schedule fires, so only the user's settings apply. */
  function onModal(): AgentKnowledge {
    const settings = mngrSettings.of(undefined);
    const settingsFile = mngrSettings.personal[0] ?? "your mngr settings";
    const isComplete = mngrSettings.personal.length > 0;
    return { ...settings, types: new AgentTypes(settings), isComplete, settingsFile, ignoresRepoSettings: true };
  }

  function inRepository(repo: string | undefined): AgentKnowledge {
    const settings = mngrSettings.of(repo);
    const isComplete = repo !== undefined;
    return {
      ...settings,
      types: new AgentTypes(settings),
      isComplete,
      settingsFile: ".mngr/settings.toml",
      ignoresRepoSettings: false,
    };
  }
}

/** The zone of changelings that don't set one. */
function defaultZone(ofFile: string | undefined, context: LoadContext): { zone: string } | { diagnostic: Diagnostic } {
  if (ofFile !== undefined) return { zone: ofFile };
  const setting = "changelings:timezone";
  if (context.timezone !== undefined) {
    if (ianaZone(context.timezone) !== undefined) return { zone: context.timezone };
    const message = `the stack's changelings:timezone: there is no time zone "${context.timezone}"`;
    return {
      diagnostic: error(
        [],
        message,
        zoneRemedy(context.timezone, (zone) => settingCommand(`${setting} ${zone}`) || zone),
      ),
    };
  }
  const remedy = `write timezone = "Europe/Berlin" (yours) at the top of the file${orSetting(`${setting} Europe/Berlin`)}`;
  if (context.ci)
    return { diagnostic: error([], "no time zone is set, and that of a CI machine is arbitrary", remedy) };
  const zone = context.machineTimezone();
  if (ianaZone(zone) !== undefined) return { zone };
  return { diagnostic: error([], "no time zone is set, and this machine has none", remedy) };
}
