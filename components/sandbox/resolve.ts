import { repoDiagnostics } from "../fleet/checks.ts";
import { type Diagnostic, error, foundWith } from "../fleet/diagnostics.ts";
import type { Declaration, Resolution, ResolveContext } from "../fleet/kind.ts";
import { namedRepos, noRepo } from "../fleet/named-repos.ts";
import { shownRepo, urlProblem } from "../git/repo-name.ts";
import { type DeclaredSandbox, expandedRepo, repositoryName, resolvedSandbox, sharedMemory } from "./declared.ts";
import type { SandboxOptions } from "./options.ts";

/** The sandbox changelings, resolved and checked against their repositories and each other. */
export async function resolveSandboxes(
  written: readonly Declaration<SandboxOptions>[],
  context: ResolveContext,
): Promise<Resolution<DeclaredSandbox>> {
  const declarations = written.map((declaration) => {
    const { repo } = declaration.options;
    if (repo === undefined) return declaration;
    return { ...declaration, options: { ...declaration.options, repo: expandedRepo(repo) } };
  });
  const repos = await namedRepos(declarations, context);
  const known = await context.repositories(
    [...repos.values()].map(({ repo }) => repo).filter((repo) => urlProblem(repo) === undefined),
  );
  const diagnostics: Diagnostic[] = [];
  const changelings = declarations.map((declaration) => {
    const { name, options, secretsAreExplicit } = declaration;
    const own: Diagnostic[] = [];
    const named = repos.get(name);
    const repository = named === undefined ? undefined : repositoryName(named.repo);
    if (named === undefined) own.push(noRepo(declaration));
    else {
      own.push(...repoDiagnostics(declaration, named, known.get(named.repo)));
      if (repository === undefined && urlProblem(named.repo) === undefined) {
        const message = `${named.source}a sandbox can't clone ${shownRepo(named.repo)}`;
        own.push(error(named.path, message, 'write "owner/name", an https URL, or a path on this machine'));
      }
    }
    diagnostics.push(...foundWith(name, own));
    return resolvedSandbox(name, options, {
      repository: repository ?? { owner: "", repo: "", url: "" },
      folder: context.fileFolder,
      home: context.home,
      secretsAreExplicit,
    });
  });
  const places = new Map(declarations.map(({ name, place }) => [name, place]));
  for (const [name, other] of sharedMemory(changelings)) {
    const path = places.get(name)?.("repo") ?? [];
    const message = `its repository's memory would be that of ${other.name}: both volumes have the same name`;
    diagnostics.push(...foundWith(name, [error(path, message, "declare one of the two in another stack")]));
  }
  return { changelings, diagnostics };
}
