import { repoAround } from "../git/refs.ts";
import { absoluteRepo } from "../git/repo-name.ts";
import { orSetting } from "../lib/own-commands.ts";
import type { NamedRepo } from "./checks.ts";
import { type Diagnostic, error, type KeyPathOf } from "./diagnostics.ts";
import type { ResolveContext } from "./kind.ts";

interface Declared {
  readonly name: string;
  readonly options: { readonly repo?: string | undefined };
  readonly place: KeyPathOf;
}

/** The repository of each changeling that has one: its own, the stack's, or the one that contains the file. */
export async function namedRepos(
  declarations: readonly Declared[],
  { repo: ofStack, folder = process.cwd(), home, fileFolder, environment }: ResolveContext,
): Promise<ReadonlyMap<string, NamedRepo>> {
  const needsDefault = declarations.some(({ options }) => options.repo === undefined);
  const byDefault = needsDefault ? await defaultRepo() : undefined;
  const repos = new Map<string, NamedRepo>();
  for (const { name, options, place } of declarations) {
    const own = options.repo === undefined ? undefined : absoluteRepo(options.repo, { folder: fileFolder, home });
    if (own !== undefined) repos.set(name, { repo: own, path: place("repo"), source: "" });
    else if (byDefault !== undefined) repos.set(name, byDefault);
  }
  return repos;

  async function defaultRepo(): Promise<NamedRepo | undefined> {
    if (ofStack !== undefined) {
      return { repo: absoluteRepo(ofStack, { folder, home }), path: [], source: "the stack's changelings:repo: " };
    }
    const around = await repoAround(fileFolder, environment);
    return around === undefined ? undefined : { repo: around, path: [], source: "the repository around the file: " };
  }
}

export function noRepo({ place }: Pick<Declared, "place">): Diagnostic {
  return error(
    place("repo"),
    "no repository is set, and the fleet file is not in one",
    `write repo = "<path or URL>" here or below [defaults]${orSetting("changelings:repo <path or URL>")}`,
  );
}
