import { basename, dirname, join } from "node:path";
import { isTracked, observeRepos, type Repository } from "../git/refs.ts";
import { indexOfLiteralSecret, withoutSecrets } from "../lib/literal-secrets.ts";
import { quoted } from "../lib/shell-command.ts";
import { type MngrSettings, personSettingsFiles, readMngrSettings, repoSettingsFiles } from "../mngr/settings.ts";
import { declare } from "./declare.ts";
import { type Diagnostic, type LocatedDiagnostic, pathInWords, warning } from "./diagnostics.ts";
import type {
  Environment,
  FleetOf,
  Kinds,
  LoadContext,
  MngrSettingsReader,
  ResolveContext,
  ResolvedChangeling,
} from "./kind.ts";
import { readSource, type Source } from "./read.ts";
import { vocabularyOf } from "./vocabulary.ts";

export interface LoadedFleetOf<Of extends Kinds> {
  /** Undefined if there is an error. */
  readonly fleet?: FleetOf<Of>;
  readonly diagnostics: readonly LocatedDiagnostic[];
}

export interface LoadOptions {
  /** Absolute path. */
  readonly file: string;
  /** The text after an edit, which is checked instead of the file's. */
  readonly edited?: string;
  readonly context: LoadContext;
}

/** Reads and checks a fleet file. Returns all diagnostics together, and changes nothing. */
export function loadFleetOf<Of extends Kinds>(kinds: Of, options: LoadOptions): Promise<LoadedFleetOf<Of>>;
export async function loadFleetOf(kinds: Kinds, { file, edited, context }: LoadOptions): Promise<LoadedFleetOf<Kinds>> {
  const read = await readSource(file, edited);
  if ("diagnostic" in read) return { diagnostics: await located(file, read.text, [read.diagnostic]) };
  const { source } = read;
  const declared = declare(source.table, vocabularyOf(kinds));
  const resolving = resolveContext(file, declared.mngrProfile, context);
  const [resolved, exposures] = await Promise.all([
    Promise.all(
      Object.entries(kinds).map(([name, kind]) => {
        const own = declared.declarations.filter((declaration) => declaration.kind === name);
        return own.length === 0
          ? { changelings: [], diagnostics: [] }
          : kind.resolve(own, resolving, declared.settings[name]);
      }),
    ),
    exposureDiagnostics(file, source, context),
  ]);
  const further = resolved
    .flatMap(({ diagnostics }) => diagnostics)
    .filter((found) => !declared.dependsOnInvalid(found));
  const diagnostics = await located(file, source.text, distinct([...declared.diagnostics, ...further, ...exposures]));
  if (diagnostics.some(({ severity }) => severity === "error")) return { diagnostics };
  const changelings: ResolvedChangeling[] = resolved.flatMap((each) => [...each.changelings]);
  changelings.sort((a, b) => (a.name < b.name ? -1 : 1));
  const settings = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [name, kind.settings?.resolve(declared.settings[name]) ?? {}]),
  );
  return { fleet: { file, mngrProfile: declared.mngrProfile, settings, changelings }, diagnostics };
}

function resolveContext(file: string, mngrProfile: string | undefined, context: LoadContext): ResolveContext {
  const environment = context.environment ?? process.env;
  const known = new Map<string, Promise<Repository | undefined>>();
  return {
    ...context,
    environment,
    fileFolder: dirname(file),
    mngrProfile,
    mngrSettings: mngrSettingsReader(mngrProfile, context.home, environment),
    async repositories(repos, { remotesOf = new Set<string>() } = {}) {
      const options = { environment, checkRemotes: context.checkRemotes ?? false, remotesOf };
      // A repository that several kinds use is observed only once, unless a later query asks for more.
      const keyOf = (repo: string) => `${remotesOf.has(repo)} ${repo}`;
      const open = [...new Set(repos)].filter((repo) => !known.has(keyOf(repo)));
      const observing = observeRepos(open, options);
      for (const repo of open)
        known.set(
          keyOf(repo),
          observing.then((repositories) => repositories.get(repo)),
        );
      const found = await Promise.all(repos.map(async (repo) => [repo, await known.get(keyOf(repo))] as const));
      return new Map(found.flatMap(([repo, repository]) => (repository === undefined ? [] : [[repo, repository]])));
    },
  };
}

function mngrSettingsReader(profile: string | undefined, home: string, environment: Environment): MngrSettingsReader {
  const personal = personSettingsFiles({ home, profile, environment });
  const known = new Map<string | undefined, MngrSettings>();
  return {
    personal,
    of(repo) {
      const found =
        known.get(repo) ??
        readMngrSettings([...personal, ...(repo === undefined ? [] : repoSettingsFiles(repo, environment))]);
      known.set(repo, found);
      return found;
    },
  };
}

/** Reports what other users could see of the file. */
async function exposureDiagnostics(
  file: string,
  { text, mode }: Source,
  { home, environment = process.env }: LoadContext,
): Promise<Diagnostic[]> {
  const found: Diagnostic[] = [];
  const secret = indexOfLiteralSecret(text);
  if (secret !== -1 && (mode & 0o044) !== 0) {
    const message = "something here looks like a secret's value, and others on this machine can read the file";
    const lines = text.slice(0, secret).split("\n");
    const at = { line: lines.length, column: (lines.at(-1) ?? "").length + 1 };
    found.push({ ...warning([], message, `chmod 600 ${file}`), at });
  }
  const isDefaultFile = file === join(home, ".changelings", "config.toml");
  if (isDefaultFile && (await isTracked(dirname(file), basename(file), environment))) {
    const message = "git tracks the file, which is for one person on one machine";
    found.push(
      warning([], message, `git -C ${quoted(dirname(file))} rm --cached ${quoted(basename(file))}, and ignore it`),
    );
  }
  return found;
}

/** Reports an invalid default only once, with the names of the changelings that inherit it. */
function distinct(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const same = Map.groupBy(diagnostics, ({ path, message, at }) => JSON.stringify([path, message, at]));
  return [...same.values()].flatMap((group) => {
    const last = group.at(-1);
    if (last === undefined) return [];
    // A diagnostic about the defaults themselves applies to all changelings.
    if (group.some(({ changelings }) => changelings === undefined)) return [last];
    return [{ ...last, message: `${last.message} (${namesInWords(group)})` }];
  });
}

const mostNames = 3;

function namesInWords(group: readonly Diagnostic[]): string {
  const names = [...new Set(group.flatMap(({ changelings }) => changelings ?? []))];
  const more = names.length - mostNames;
  return `for ${names.slice(0, mostNames).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Positions are looked up only if there is something to report: parsing the syntax tree costs more than all checks. */
async function located(file: string, text: string, diagnostics: readonly Diagnostic[]): Promise<LocatedDiagnostic[]> {
  if (diagnostics.length === 0) return [];
  const { locator } = await import("./locate.ts");
  const locate = locator(text);
  return diagnostics.map(({ at, path, message, remedy, severity }) => {
    const { line, column } = at ?? locate(path);
    const words = { path: withoutSecrets(pathInWords(path)), message: withoutSecrets(message) };
    return { file, line, column, ...words, remedy: withoutSecrets(remedy), severity };
  });
}
