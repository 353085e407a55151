import * as z from "zod/mini";
import { forwardingFindings } from "../web/forwarding/declared.ts";
import type { ForwardingOptions } from "../web/forwarding/options.ts";
import type { Kind } from "./changeling.ts";
import { cronFindings, zoneFindings } from "./checks.ts";
import { error, type Finding, foundWith, type KeyPath, type PlaceOf } from "./diagnostics.ts";
import { nameFinding, renameFindings } from "./names.ts";
import {
  type CronOptions,
  changelingOptions,
  cronTable,
  fileOptions,
  isFileKey,
  isOptionKey,
  type OptionKey,
  type WebOptions,
  webTable,
} from "./options.ts";
import { isOfStandIn, type Sound, soundOptions, writtenIndex } from "./sound-options.ts";
import { type Unfit, type UnfitOptions, unfitCronOptions, unfitForKind, unfitWebOptions } from "./unfit-options.ts";
import { described, isTable, strayFileKey, strayOption, type Table } from "./zod-issues.ts";

interface DeclarationOf<OfKind extends Kind, Options> {
  readonly name: string;
  readonly kind: OfKind;
  readonly options: Options;
  /** Whether the file says which secrets. */
  readonly secretsAreExplicit: boolean;
  readonly place: PlaceOf;
  /** The options that are wrong, and which a default stands in for. */
  readonly unsound: ReadonlySet<string>;
  /** What `[defaults]` sets and has no effect for this one. */
  readonly passedOver: UnfitOptions;
}

/** One changeling as the file declares it: its own table over `[defaults]`, over the defaults of the options. */
export type CronDeclaration = DeclarationOf<"cron", CronOptions>;
export type WebDeclaration = DeclarationOf<"web", WebOptions>;
export type Declaration = CronDeclaration | WebDeclaration;

/** What the text of a fleet file says, and all that is wrong with that. */
export interface Declared {
  readonly mngrProfile: string | undefined;
  readonly maxRunsAtOnce: number | undefined;
  readonly timezone: string | undefined;
  readonly forwarding: ForwardingOptions;
  readonly declarations: readonly Declaration[];
  readonly findings: readonly Finding[];
  /** Whether a finding about the declarations is about a default that stands in for a value that is wrong. */
  isOfStandIn(finding: Finding): boolean;
}

const ownKeys = z.object({
  mngr_profile: fileOptions.mngr_profile,
  max_runs_at_once: fileOptions.max_runs_at_once,
  timezone: fileOptions.timezone,
  forwarding: fileOptions.forwarding,
});

/** Reads what was parsed from TOML. Where an option is wrong, its default stands in, so that the rest is checked too. */
export function declare(file: Table): Declared {
  const findings: Finding[] = [];
  for (const [key, value] of Object.entries(file)) {
    if (!isFileKey(key)) findings.push(strayFileKey(key, value));
  }
  const {
    mngr_profile: mngrProfile,
    max_runs_at_once: maxRunsAtOnce,
    timezone,
    forwarding,
  } = ownKeys.parse(soundOptions(file, [], findings, ownKeys.shape).table);
  if (timezone !== undefined) findings.push(...zoneFindings(timezone, ["timezone"]));
  findings.push(...forwardingFindings(forwarding));
  const path = ["defaults"];
  const defaults = soundOptions(
    known(tableAt(file, "defaults", findings), path, findings),
    path,
    findings,
    changelingOptions,
  );
  const declarations: Declaration[] = [];
  for (const [name, value] of Object.entries(tableAt(file, "changelings", findings))) {
    const wrongName = nameFinding(name);
    if (wrongName !== undefined) findings.push(wrongName);
    if (isTable(value)) declarations.push(declaration(name, value, defaults, findings));
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
    ...{ mngrProfile, maxRunsAtOnce, timezone, forwarding, declarations, findings },
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

function declaration(name: string, table: Table, defaults: Sound, all: Finding[]): Declaration {
  const findings: Finding[] = [];
  const found = declarationOf(name, table, defaults, findings);
  all.push(...foundWith(name, findings));
  return found;
}

function declarationOf(name: string, table: Table, defaults: Sound, findings: Finding[]): Declaration {
  const path = ["changelings", name];
  const written = known(table, path, findings);
  const kind = written["kind"] ?? defaults.table["kind"];
  const about = { path, written, defaults, findings };
  if (kind === "web") {
    const { options, ...decided } = decide(about, kind, webTable, unfitWebOptions);
    return { name, kind, options, ...decided };
  }
  const { options, ...decided } = decide(about, "cron", cronTable, unfitCronOptions);
  const { place, unsound } = decided;
  const optionOf = ({ path: [table, name, option] }: Finding) => (table === "defaults" ? name : option);
  findings.push(...cronFindings(options, place).filter((found) => !isOfStandIn(found, optionOf(found), unsound)));
  return { name, kind: "cron", options, ...decided };
}

interface Written {
  readonly path: KeyPath;
  readonly written: Table;
  readonly defaults: Sound;
  readonly findings: Finding[];
}

/** What is written of a changeling, over the defaults, as the table of its kind reads it. */
function decide<Shape extends z.core.$ZodShape>(
  { path, written, defaults, findings }: Written,
  kind: Kind,
  schema: z.ZodMiniObject<Shape, z.core.$strict>,
  unfitOptions: (options: z.output<typeof schema>) => UnfitOptions,
) {
  const ofOthers = { own: unfitKeys(written, kind), defaults: unfitKeys(defaults.table, kind) };
  // Of a kind that doesn't exist nobody knows which options it has.
  if (written["kind"] === undefined || written["kind"] === kind) {
    for (const [key, unfit] of ofOthers.own) findings.push({ ...unfit, path: [...path, key] });
  }
  let own = asIs(without(written, ofOthers.own));
  let fitting: Sound = { ...defaults, table: without(defaults.table, ofOthers.defaults) };
  const parse = (inherited: Table) => z.safeParse(schema, { ...inherited, ...own.table }).data;
  let options = parse(fitting.table);
  if (options === undefined) {
    own = soundOptions(own.table, path, findings, schema.shape);
    // A default can be one that this kind has not.
    const inherited: Finding[] = [];
    const sound = soundOptions(fitting.table, path, inherited, schema.shape);
    findings.push(...inherited.filter((found) => !Object.hasOwn(own.table, String(found.path[path.length]))));
    fitting = { ...sound, dropped: new Map([...fitting.dropped, ...sound.dropped]) };
    options = z.parse(schema, { ...fitting.table, ...own.table });
  }
  // In a fleet of two providers a default may be meant for one of them.
  const idle = new Map([...unfitOptions(options)].filter(([key]) => !Object.hasOwn(own.table, key)));
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

/** The table's options that another kind has alone. */
function unfitKeys(table: Table, kind: Kind): UnfitOptions {
  return new Map(
    Object.keys(table).flatMap((key) => {
      const unfit = isOptionKey(key) ? unfitForKind(key, kind) : undefined;
      return unfit === undefined || !isOptionKey(key) ? [] : [[key, unfit] as const];
    }),
  );
}

/** Defaults that mean nothing for any of the changelings that have them. */
function idleDefaults(declarations: readonly Declaration[]): Finding[] {
  const found = new Map<OptionKey, Finding>();
  for (const [key, unfit] of declarations.flatMap(({ passedOver }): [OptionKey, Unfit][] => [...passedOver])) {
    const isUsed = declarations.some(({ place, passedOver }) => place(key)[0] === "defaults" && !passedOver.has(key));
    if (!isUsed) found.set(key, { ...unfit, path: ["defaults", key] });
  }
  return [...found.values()];
}

/** The table without unknown options, which become findings. */
function known(table: Table, path: KeyPath, findings: Finding[]): Table {
  const isKnown = (key: string) => isOptionKey(key) && !(key === "renamed_from" && path.length === 1);
  const strays = new Map(Object.keys(table).flatMap((key) => (isKnown(key) ? [] : [[key, [...path, key]] as const])));
  findings.push(...[...strays].map(([key, place]) => strayOption(place, key)));
  return without(table, strays);
}

function without(table: Table, keys: ReadonlyMap<string, unknown>): Table {
  if (keys.size === 0) return table;
  return Object.fromEntries(Object.entries(table).filter(([key]) => !keys.has(key)));
}
