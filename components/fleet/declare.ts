import * as z from "zod/mini";
import { unfitOptions } from "./applies.ts";
import { error, type Finding, foundWith, type KeyPath, type PlaceOf } from "./diagnostics.ts";
import type { Declaration, Kind, Schemas, Table, Unfit, UnfitOptions } from "./kind.ts";
import { nameFinding, renameFindings } from "./names.ts";
import { isOfStandIn, type Sound, soundOptions, writtenIndex } from "./sound-options.ts";
import { defaultKind, unfitForKind, type Vocabulary } from "./vocabulary.ts";
import { described, isTable, strayFileKey, strayOption } from "./zod-issues.ts";

/** The parsed declarations of a fleet file, and the diagnostics about them. */
export interface Declared {
  readonly mngrProfile: string | undefined;
  /** By kind: its own keys of the file, as parsed by its schema. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly declarations: readonly Declaration[];
  readonly findings: readonly Finding[];
  /** Whether a finding is only about a default that replaced an invalid value. */
  isOfStandIn(finding: Finding): boolean;
}

/** Reads parsed TOML. Invalid options are replaced by their defaults, so that the rest is checked too. */
export function declare(file: Table, vocabulary: Vocabulary): Declared {
  const findings: Finding[] = [];
  for (const [key, value] of Object.entries(file)) {
    if (!Object.hasOwn(vocabulary.file, key)) findings.push(strayFileKey(key, value, vocabulary));
  }
  const { defaults: _, changelings: __, ...ownKeys } = vocabulary.file;
  const sound = soundOptions(only(file, ownKeys), [], findings, ownKeys).table;
  const mngrProfile = typeof sound["mngr_profile"] === "string" ? sound["mngr_profile"] : undefined;
  const settings: Record<string, unknown> = {};
  for (const [name, { settings: own }] of Object.entries(vocabulary.kinds)) {
    if (own === undefined) continue;
    const written = z.parse(own.table, only(sound, own.table.shape));
    findings.push(...own.check(written));
    settings[name] = written;
  }
  const path = ["defaults"];
  const defaults = soundOptions(
    known(tableAt(file, "defaults", findings), path, findings, vocabulary),
    path,
    findings,
    vocabulary.changeling,
  );
  const declarations: Declaration[] = [];
  for (const [name, value] of Object.entries(tableAt(file, "changelings", findings))) {
    const wrongName = nameFinding(name);
    if (wrongName !== undefined) findings.push(wrongName);
    if (isTable(value)) declarations.push(declaration(name, value, defaults, findings, vocabulary));
    else findings.push(noTable(["changelings", name], value, `write [changelings.${name}] on a line of its own`));
  }
  findings.push(...idleDefaults(declarations));
  if (declarations.length === 0 && findings.length === 0) {
    findings.push({
      ...error([], "no changeling is declared", "add one: [changelings.fixme-fairy]"),
      severity: "warning",
    });
  }
  const names = new Set(declarations.map(({ name }) => name));
  const renames = declarations.flatMap(({ name, options }) =>
    options.renamed_from ? [[name, options.renamed_from] as const] : [],
  );
  findings.push(...renameFindings(new Map(renames), names));
  const unsoundOf = new Map(declarations.map(({ name, unsound }) => [name, unsound]));
  return {
    ...{ mngrProfile, settings, declarations, findings },
    isOfStandIn(finding) {
      const [table, name, option] = finding.path;
      if (table === "defaults") return isOfStandIn(finding, name, defaults.unsound);
      return isOfStandIn(finding, option, unsoundOf.get(String(name)) ?? new Set());
    },
  };
}

function asIs(table: Table): Sound {
  return { table, unsound: new Set(), dropped: new Map() };
}

function tableAt(file: Table, key: "defaults" | "changelings", findings: Finding[]): Table {
  const value = file[key] ?? {};
  if (isTable(value)) return value;
  findings.push(
    noTable([key], value, key === "defaults" ? "write [defaults]" : "write [changelings.<name>] for each changeling"),
  );
  return {};
}

function noTable(path: KeyPath, value: unknown, remedy: string): Finding {
  return error(path, `expected a table, found ${described(value, "")}`, remedy);
}

function declaration(name: string, table: Table, defaults: Sound, all: Finding[], vocabulary: Vocabulary): Declaration {
  const findings: Finding[] = [];
  const found = declarationOf(name, table, defaults, findings, vocabulary);
  all.push(...foundWith(name, findings));
  return found;
}

function declarationOf(
  name: string,
  table: Table,
  defaults: Sound,
  findings: Finding[],
  vocabulary: Vocabulary,
): Declaration {
  const path = ["changelings", name];
  const written = known(table, path, findings, vocabulary);
  const named = written["kind"] ?? defaults.table["kind"];
  const kindName =
    typeof named === "string" && Object.hasOwn(vocabulary.kinds, named) ? named : defaultKind(vocabulary.kinds);
  const kind = vocabulary.kinds[kindName];
  if (kind === undefined) throw new Error(`no kind ${kindName}`);
  const { options, ...decided } = decide({ path, written, defaults, findings }, kindName, kind, vocabulary);
  const { place, unsound } = decided;
  const optionOf = ({ path: [table, name, option] }: Finding) => (table === "defaults" ? name : option);
  findings.push(...kind.check(options, place).filter((found) => !isOfStandIn(found, optionOf(found), unsound)));
  return { name, kind: kindName, options, ...decided };
}

interface Written {
  readonly path: KeyPath;
  readonly written: Table;
  readonly defaults: Sound;
  readonly findings: Finding[];
}

/** A changeling's own options over the defaults, parsed with the schema of its kind. */
function decide({ path, written, defaults, findings }: Written, kindName: string, kind: Kind, vocabulary: Vocabulary) {
  const { table: schema } = kind;
  const ofOthers = {
    own: unfitKeys(written, kindName, vocabulary),
    defaults: unfitKeys(defaults.table, kindName, vocabulary),
  };
  // The options of a kind that doesn't exist are unknown.
  if (written["kind"] === undefined || written["kind"] === kindName) {
    for (const [key, unfit] of ofOthers.own) findings.push({ ...unfit, path: [...path, key] });
  } else {
    soundOptions({ kind: written["kind"] }, path, findings, vocabulary.shared);
  }
  let own = asIs(withoutKind(without(written, ofOthers.own)));
  let fitting: Sound = { ...defaults, table: withoutKind(without(defaults.table, ofOthers.defaults)) };
  const parse = (inherited: Table) => z.safeParse(schema, { ...inherited, ...own.table }).data;
  let options = parse(fitting.table);
  if (options === undefined) {
    own = soundOptions(own.table, path, findings, schema.shape);
    // A default can be an option that this kind does not have.
    const inherited: Finding[] = [];
    const sound = soundOptions(fitting.table, path, inherited, schema.shape);
    findings.push(...inherited.filter((found) => !Object.hasOwn(own.table, String(found.path[path.length]))));
    fitting = { ...sound, dropped: new Map([...fitting.dropped, ...sound.dropped]) };
    options = z.parse(schema, { ...fitting.table, ...own.table });
  }
  // In a fleet with two providers, a default may be meant for only one of them.
  const idle = new Map([...unfitOptions(kind, { ...options })].filter(([key]) => !Object.hasOwn(own.table, key)));
  if (idle.size > 0) options = z.parse(schema, { ...without(fitting.table, idle), ...own.table });
  const place: PlaceOf = (...inner) => {
    const [option = "", index, ...below] = inner;
    const isOwn = Object.hasOwn(own.table, option) || own.unsound.has(String(option));
    if (!isOwn && !Object.hasOwn(defaults.table, option) && !defaults.unsound.has(String(option))) return path;
    const table = isOwn ? path : ["defaults"];
    if (typeof index !== "number") return [...table, ...inner];
    const { dropped } = isOwn ? own : fitting;
    return [...table, option, writtenIndex(index, dropped.get(String(option))), ...below];
  };
  const secretsAreExplicit = Object.hasOwn(own.table, "secrets") || Object.hasOwn(defaults.table, "secrets");
  const ofDefaults = [...defaults.unsound, ...fitting.unsound].filter((option) => !Object.hasOwn(own.table, option));
  const unsound = new Set([...own.unsound, ...ofDefaults]);
  return { options, unsound, place, secretsAreExplicit, passedOver: new Map([...ofOthers.defaults, ...idle]) };
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
function idleDefaults(declarations: readonly Declaration[]): Finding[] {
  const found = new Map<string, Finding>();
  for (const [key, unfit] of declarations.flatMap(({ passedOver }): [string, Unfit][] => [...passedOver])) {
    const isUsed = declarations.some(({ place, passedOver }) => place(key)[0] === "defaults" && !passedOver.has(key));
    if (!isUsed) found.set(key, { ...unfit, path: ["defaults", key] });
  }
  return [...found.values()];
}

/** Removes unknown options from a table, and reports each as a finding. */
function known(table: Table, path: KeyPath, findings: Finding[], vocabulary: Vocabulary): Table {
  const isKnown = (key: string) =>
    Object.hasOwn(vocabulary.changeling, key) && !(key === "renamed_from" && path.length === 1);
  const strays = new Map(Object.keys(table).flatMap((key) => (isKnown(key) ? [] : [[key, [...path, key]] as const])));
  findings.push(...[...strays].map(([key, place]) => strayOption(place, key, vocabulary)));
  return without(table, strays);
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
