import * as z from "zod/mini";
import { unfitOptions } from "./applies.ts";
import { type Diagnostic, error, foundWith, type KeyPath, type KeyPathOf } from "./diagnostics.ts";
import type { Declaration, Kind, Schemas, Table, Unfit, UnfitOptions } from "./kind.ts";
import { nameDiagnostic, renameDiagnostics } from "./names.ts";
import { dependsOnInvalid, type ValidTable, validOptions, writtenIndex } from "./valid-options.ts";
import { defaultKind, unfitForKind, type Vocabulary } from "./vocabulary.ts";
import { described, isTable, unknownFileKey, unknownOption } from "./zod-issues.ts";

/** The parsed declarations of a fleet file, and the diagnostics about them. */
export interface Declared {
  readonly mngrProfile: string | undefined;
  /** By kind: its own keys of the file, as parsed by its schema. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly declarations: readonly Declaration[];
  readonly diagnostics: readonly Diagnostic[];
  /** Whether the diagnostic is only about a default that replaced an invalid value. */
  dependsOnInvalid(diagnostic: Diagnostic): boolean;
}

/** Reads parsed TOML. Invalid options are replaced by their defaults, so that the rest is checked too. */
export function declare(file: Table, vocabulary: Vocabulary): Declared {
  const diagnostics: Diagnostic[] = [];
  for (const [key, value] of Object.entries(file)) {
    if (!Object.hasOwn(vocabulary.file, key)) diagnostics.push(unknownFileKey(key, value, vocabulary));
  }
  const { defaults: _, changelings: __, ...ownKeys } = vocabulary.file;
  const sound = validOptions(only(file, ownKeys), [], diagnostics, ownKeys).table;
  const mngrProfile = typeof sound["mngr_profile"] === "string" ? sound["mngr_profile"] : undefined;
  const settings: Record<string, unknown> = {};
  for (const [name, { settings: own }] of Object.entries(vocabulary.kinds)) {
    if (own === undefined) continue;
    const written = z.parse(own.table, only(sound, own.table.shape));
    diagnostics.push(...own.check(written));
    settings[name] = written;
  }
  const path = ["defaults"];
  const defaults = validOptions(
    known(tableAt(file, "defaults", diagnostics), path, diagnostics, vocabulary),
    path,
    diagnostics,
    vocabulary.changeling,
  );
  const declarations: Declaration[] = [];
  for (const [name, value] of Object.entries(tableAt(file, "changelings", diagnostics))) {
    const wrongName = nameDiagnostic(name);
    if (wrongName !== undefined) diagnostics.push(wrongName);
    if (isTable(value)) declarations.push(declaration(name, value, defaults, diagnostics, vocabulary));
    else diagnostics.push(noTable(["changelings", name], value, `write [changelings.${name}] on a line of its own`));
  }
  diagnostics.push(...idleDefaults(declarations));
  if (declarations.length === 0 && diagnostics.length === 0) {
    diagnostics.push({
      ...error([], "no changeling is declared", "add one: [changelings.fixme-fairy]"),
      severity: "warning",
    });
  }
  const names = new Set(declarations.map(({ name }) => name));
  const renames = declarations.flatMap(({ name, options }) =>
    options.renamed_from ? [[name, options.renamed_from] as const] : [],
  );
  diagnostics.push(...renameDiagnostics(new Map(renames), names));
  const invalidOf = new Map(declarations.map(({ name, invalid }) => [name, invalid]));
  return {
    ...{ mngrProfile, settings, declarations, diagnostics },
    dependsOnInvalid(diagnostic) {
      const [table, name, option] = diagnostic.path;
      if (table === "defaults") return dependsOnInvalid(diagnostic, name, defaults.invalid);
      return dependsOnInvalid(diagnostic, option, invalidOf.get(String(name)) ?? new Set());
    },
  };
}

function asIs(table: Table): ValidTable {
  return { table, invalid: new Set(), dropped: new Map() };
}

function tableAt(file: Table, key: "defaults" | "changelings", diagnostics: Diagnostic[]): Table {
  const value = file[key] ?? {};
  if (isTable(value)) return value;
  diagnostics.push(
    noTable([key], value, key === "defaults" ? "write [defaults]" : "write [changelings.<name>] for each changeling"),
  );
  return {};
}

function noTable(path: KeyPath, value: unknown, remedy: string): Diagnostic {
  return error(path, `expected a table, found ${described(value, "")}`, remedy);
}

function declaration(
  name: string,
  table: Table,
  defaults: ValidTable,
  all: Diagnostic[],
  vocabulary: Vocabulary,
): Declaration {
  const diagnostics: Diagnostic[] = [];
  const found = declarationOf(name, table, defaults, diagnostics, vocabulary);
  all.push(...foundWith(name, diagnostics));
  return found;
}

function declarationOf(
  name: string,
  table: Table,
  defaults: ValidTable,
  diagnostics: Diagnostic[],
  vocabulary: Vocabulary,
): Declaration {
  const path = ["changelings", name];
  const written = known(table, path, diagnostics, vocabulary);
  const named = written["kind"] ?? defaults.table["kind"];
  const kindName =
    typeof named === "string" && Object.hasOwn(vocabulary.kinds, named) ? named : defaultKind(vocabulary.kinds);
  const kind = vocabulary.kinds[kindName];
  if (kind === undefined) throw new Error(`no kind ${kindName}`);
  const { options, ...resolved } = resolveOptions({ path, written, defaults, diagnostics }, kindName, kind, vocabulary);
  const { place, invalid } = resolved;
  const optionOf = ({ path: [table, name, option] }: Diagnostic) => (table === "defaults" ? name : option);
  diagnostics.push(...kind.check(options, place).filter((found) => !dependsOnInvalid(found, optionOf(found), invalid)));
  return { name, kind: kindName, options, ...resolved };
}

interface Written {
  readonly path: KeyPath;
  readonly written: Table;
  readonly defaults: ValidTable;
  readonly diagnostics: Diagnostic[];
}

/** A changeling's own options over the defaults, parsed with the schema of its kind. */
function resolveOptions(
  { path, written, defaults, diagnostics }: Written,
  kindName: string,
  kind: Kind,
  vocabulary: Vocabulary,
) {
  const { table: schema } = kind;
  const ofOtherKinds = {
    own: unfitKeys(written, kindName, vocabulary),
    defaults: unfitKeys(defaults.table, kindName, vocabulary),
  };
  // The options of a kind that doesn't exist are unknown.
  if (written["kind"] === undefined || written["kind"] === kindName) {
    for (const [key, unfit] of ofOtherKinds.own) diagnostics.push({ ...unfit, path: [...path, key] });
  } else {
    validOptions({ kind: written["kind"] }, path, diagnostics, vocabulary.shared);
  }
  let own = asIs(withoutKind(without(written, ofOtherKinds.own)));
  let fitting: ValidTable = { ...defaults, table: withoutKind(without(defaults.table, ofOtherKinds.defaults)) };
  const parse = (inherited: Table) => z.safeParse(schema, { ...inherited, ...own.table }).data;
  let options = parse(fitting.table);
  if (options === undefined) {
    own = validOptions(own.table, path, diagnostics, schema.shape);
    // A default can be an option that this kind does not have.
    const inherited: Diagnostic[] = [];
    const sound = validOptions(fitting.table, path, inherited, schema.shape);
    diagnostics.push(...inherited.filter((found) => !Object.hasOwn(own.table, String(found.path[path.length]))));
    fitting = { ...sound, dropped: new Map([...fitting.dropped, ...sound.dropped]) };
    options = z.parse(schema, { ...fitting.table, ...own.table });
  }
  // In a fleet with two providers, a default may be meant for only one of them.
  const idle = new Map([...unfitOptions(kind, { ...options })].filter(([key]) => !Object.hasOwn(own.table, key)));
  if (idle.size > 0) options = z.parse(schema, { ...without(fitting.table, idle), ...own.table });
  const place: KeyPathOf = (...inner) => {
    const [option = "", index, ...below] = inner;
    const isOwn = Object.hasOwn(own.table, option) || own.invalid.has(String(option));
    if (!isOwn && !Object.hasOwn(defaults.table, option) && !defaults.invalid.has(String(option))) return path;
    const table = isOwn ? path : ["defaults"];
    if (typeof index !== "number") return [...table, ...inner];
    const { dropped } = isOwn ? own : fitting;
    return [...table, option, writtenIndex(index, dropped.get(String(option))), ...below];
  };
  const secretsAreExplicit = Object.hasOwn(own.table, "secrets") || Object.hasOwn(defaults.table, "secrets");
  const ofDefaults = [...defaults.invalid, ...fitting.invalid].filter((option) => !Object.hasOwn(own.table, option));
  const invalid = new Set([...own.invalid, ...ofDefaults]);
  return {
    options,
    invalid,
    place,
    secretsAreExplicit,
    ignoredDefaults: new Map([...ofOtherKinds.defaults, ...idle]),
  };
}

/** The table's options that only other kinds have. */
function unfitKeys(table: Table, kind: string, vocabulary: Vocabulary): UnfitOptions {
  return new Map(
    Object.keys(table).flatMap((key) => {
      const unfit = unfitForKind(vocabulary, key, kind);
      return unfit === undefined ? [] : [[key, unfit] as const];
    }),
  );
}

/** Defaults that have no effect for any changeling that inherits them. */
function idleDefaults(declarations: readonly Declaration[]): Diagnostic[] {
  const found = new Map<string, Diagnostic>();
  for (const [key, unfit] of declarations.flatMap(({ ignoredDefaults }): [string, Unfit][] => [...ignoredDefaults])) {
    const isUsed = declarations.some(
      ({ place, ignoredDefaults }) => place(key)[0] === "defaults" && !ignoredDefaults.has(key),
    );
    if (!isUsed) found.set(key, { ...unfit, path: ["defaults", key] });
  }
  return [...found.values()];
}

/** Removes unknown options from a table, and reports each. */
function known(table: Table, path: KeyPath, diagnostics: Diagnostic[], vocabulary: Vocabulary): Table {
  const isKnown = (key: string) =>
    Object.hasOwn(vocabulary.changeling, key) && !(key === "renamed_from" && path.length === 1);
  const orphans = new Map(Object.keys(table).flatMap((key) => (isKnown(key) ? [] : [[key, [...path, key]] as const])));
  diagnostics.push(...[...orphans].map(([key, place]) => unknownOption(place, key, vocabulary)));
  return without(table, orphans);
}

function without(table: Table, keys: ReadonlyMap<string, unknown>): Table {
  if (keys.size === 0) return table;
  return Object.fromEntries(Object.entries(table).filter(([key]) => !keys.has(key)));
}

/** The loader has already used `kind` to choose the schema. */
function withoutKind({ kind: _, ...options }: Table): Table {
  return options;
}

function only(table: Table, keys: Schemas): Table {
  return Object.fromEntries(Object.entries(table).filter(([key]) => Object.hasOwn(keys, key)));
}
