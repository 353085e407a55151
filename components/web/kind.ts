import { stat } from "node:fs/promises";
import type { NamedRepo } from "../cron/modal/clones.ts";
import { webAgentFindings } from "../fleet/agent-checks.ts";
import type { DeclaredWeb } from "../fleet/changeling.ts";
import { repoFindings } from "../fleet/checks.ts";
import type { WebDeclaration } from "../fleet/declare.ts";
import { error, type Finding, foundWith } from "../fleet/diagnostics.ts";
import { nameFinding } from "../fleet/names.ts";
import type { Surroundings } from "../fleet/surroundings.ts";
import { absolutePath, absoluteRepo, isRepoUrl } from "../git/repo-name.ts";
import { parseAddPath } from "./added-paths.ts";
import { dataFindings, webFindings } from "./checks.ts";
import { needsModelKey, resolvedWeb, webAgentType } from "./declared.ts";

/** What relative paths of the file are relative to, and what `~` is. */
export interface Folders {
  readonly folder: string;
  readonly home: string;
}

/** The repository that each web changeling with a source is cloned from. */
export function sourcesOf(declarations: readonly WebDeclaration[], folders: Folders): ReadonlyMap<string, NamedRepo> {
  return new Map(
    declarations.flatMap(({ name, options: { source }, place }) =>
      source === undefined ? [] : [[name, { repo: absoluteRepo(source, folders), path: place("source"), source: "" }]],
    ),
  );
}

/** The web changelings, decided and checked against what is around them. */
export async function settleWebs(
  declarations: readonly WebDeclaration[],
  { sources, folders }: { readonly sources: ReadonlyMap<string, NamedRepo>; readonly folders: Folders },
  { known, agents, findings }: Surroundings,
): Promise<DeclaredWeb[]> {
  const changelings = declarations.map((declaration) => {
    const { name, options, place, secretsAreExplicit } = declaration;
    const own = webFindings(options, place);
    const source = sources.get(name);
    if (source !== undefined) own.push(...repoFindings(declaration, source, known.get(source.repo)));
    const around = agents.forWeb(source?.repo);
    const type = webAgentType(name, options);
    // A name that is wrong is told as such; as an agent type it would only be told again.
    if (options.agent_type !== undefined || nameFinding(name) === undefined) {
      own.push(...webAgentFindings({ type, options }, around, place));
    }
    findings.push(...foundWith(name, own));
    const usesModel = needsModelKey(type ?? around.entrypoint, around.types);
    return resolvedWeb(name, options, { ...folders, needsModelKey: usesModel, secretsAreExplicit });
  });
  const places = new Map(declarations.map(({ name, place }) => [name, place]));
  const here = () => [];
  findings.push(...dataFindings(changelings, folders.home, (name) => places.get(name) ?? here));
  const missing = await Promise.all(
    declarations.map(async (declaration) => foundWith(declaration.name, await missingPaths(declaration, folders))),
  );
  findings.push(...missing.flat());
  return changelings;
}

/** What the changeling names on this machine and isn't there. */
async function missingPaths({ options, place }: WebDeclaration, folders: Folders): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const [index, text] of options.add_paths.entries()) {
    const path = parseAddPath(text);
    if ("message" in path) continue;
    const from = absolutePath(path.from, folders);
    const known = await stat(from).catch(() => undefined);
    if (known === undefined)
      found.push(error(place("add_paths", index), `${from} does not exist`, "correct the path, or remove it"));
    else if (!known.isFile() && !known.isDirectory())
      found.push(error(place("add_paths", index), `${from} is neither a file nor a folder`, "name one"));
  }
  const { remote, provider } = options;
  if (remote === undefined || provider !== "local" || isRepoUrl(remote)) return found;
  const folder = absoluteRepo(remote, folders);
  const known = await stat(folder).catch(() => undefined);
  if (known?.isDirectory() === true) return found;
  const message = known === undefined ? `there is no folder ${folder}` : `${folder} is a file`;
  return [...found, error(place("remote"), message, `git init --bare ${folder}, or correct the path`)];
}
