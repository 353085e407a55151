import { stat } from "node:fs/promises";
import { type AgentKnowledge, AgentTypes, stockWebTypes } from "../fleet/agents.ts";
import { repoDiagnostics } from "../fleet/checks.ts";
import { type Diagnostic, error, foundWith } from "../fleet/diagnostics.ts";
import type { Declaration, Resolution, ResolveContext } from "../fleet/kind.ts";
import { nameDiagnostic } from "../fleet/names.ts";
import { absolutePath, absoluteRepo, isRepoUrl, urlProblem } from "../git/repo-name.ts";
import { parseAddPath } from "./added-paths.ts";
import { dataDiagnostics, webAgentDiagnostics } from "./checks.ts";
import { type DeclaredWeb, needsModelKey, resolvedWeb, webAgentType } from "./declared.ts";
import type { WebOptions } from "./options.ts";

/** The folders for relative paths in the fleet file and for `~`. */
interface Folders {
  readonly folder: string;
  readonly home: string;
}

/** The web changelings, resolved and checked against their sources, mngr's settings and each other. */
export async function resolveWebs(
  declarations: readonly Declaration<WebOptions>[],
  context: ResolveContext,
): Promise<Resolution<DeclaredWeb>> {
  const folders = { folder: context.fileFolder, home: context.home };
  const sources = new Map(
    declarations.flatMap(({ name, options: { source }, place }) =>
      source === undefined ? [] : [[name, { repo: absoluteRepo(source, folders), path: place("source"), source: "" }]],
    ),
  );
  const known = await context.repositories(
    [...sources.values()].map(({ repo }) => repo).filter((repo) => urlProblem(repo) === undefined),
  );
  const diagnostics: Diagnostic[] = [];
  const changelings = declarations.map((declaration) => {
    const { name, options, place, secretsAreExplicit } = declaration;
    const own: Diagnostic[] = [];
    const source = sources.get(name);
    if (source !== undefined) own.push(...repoDiagnostics(declaration, source, known.get(source.repo)));
    const knowledge = agentKnowledge(context, source?.repo);
    const type = webAgentType(name, options);
    // An invalid name is already reported; don't report it again as an agent type.
    if (options.agent_type !== undefined || nameDiagnostic(name) === undefined) {
      own.push(...webAgentDiagnostics({ type, options }, knowledge, place));
    }
    diagnostics.push(...foundWith(name, own));
    const usesModel = needsModelKey(type ?? knowledge.entrypoint, knowledge.types);
    return resolvedWeb(name, options, { ...folders, needsModelKey: usesModel, secretsAreExplicit });
  });
  const places = new Map(declarations.map(({ name, place }) => [name, place]));
  const here = () => [];
  diagnostics.push(...dataDiagnostics(changelings, folders.home, (name) => places.get(name) ?? here));
  const missing = await Promise.all(
    declarations.map(async (declaration) => foundWith(declaration.name, await missingPaths(declaration, folders))),
  );
  diagnostics.push(...missing.flat());
  return { changelings, diagnostics };
}

/** @param source absolute path or URL; undefined if its repo is made from scratch */
function agentKnowledge({ mngrSettings }: ResolveContext, source: string | undefined): AgentKnowledge {
  const isElsewhere = source !== undefined && isRepoUrl(source);
  const settings = mngrSettings.of(isElsewhere ? undefined : source);
  const types = new AgentTypes(settings, stockWebTypes());
  return {
    ...settings,
    types,
    isComplete: !isElsewhere,
    settingsFile: ".mngr/settings.toml",
    ignoresRepoSettings: false,
  };
}

/** Diagnostics for local paths that the changeling names and that do not exist. */
async function missingPaths({ options, place }: Declaration<WebOptions>, folders: Folders): Promise<Diagnostic[]> {
  const found: Diagnostic[] = [];
  for (const [index, text] of options.add_paths.entries()) {
    const path = parseAddPath(text);
    if ("message" in path) continue;
    const from = absolutePath(path.from, folders);
    const known = await stat(from).catch(() => undefined);
    if (known === undefined)
      found.push(error(place("add_paths", index), `${from} does not exist`, "correct the path, or remove it"));
    else if (!known.isFile() && !known.isDirectory())
      found.push(error(place("add_paths", index), `${from} is neither a file nor a folder`, "write the path of one"));
  }
  const { remote, provider } = options;
  if (remote === undefined || provider !== "local" || isRepoUrl(remote)) return found;
  const folder = absoluteRepo(remote, folders);
  const known = await stat(folder).catch(() => undefined);
  if (known?.isDirectory() === true) return found;
  const message = known === undefined ? `there is no folder ${folder}` : `${folder} is a file`;
  return [...found, error(place("remote"), message, `git init --bare ${folder}, or correct the path`)];
}
