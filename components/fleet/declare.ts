import * as z from "zod/mini";
import { optionFindings, type PlaceOf, zoneFindings } from "./checks.ts";
import { error, type Finding, type KeyPath } from "./fault.ts";
import { nameFinding, renameFindings } from "./names.ts";
import {
  changelingOptions,
  fileOptions,
  isFileKey,
  isOptionKey,
  type OptionKey,
  type Options,
  optionsTable,
} from "./options.ts";
import { described, findingOf, isTable, strayFileKey, strayOption, type Table } from "./shape.ts";
import { type Unfit, unfitOptions } from "./unfit-options.ts";

/** One changeling as the file declares it: its own table over `[defaults]`, over the defaults of the options. */
export interface Declaration {
  readonly name: string;
  readonly options: Options;
  /** Whether the file says which secrets. */
  readonly secretsAreExplicit: boolean;
  readonly place: PlaceOf;
  /** What `[defaults]` sets and means nothing for this one. */
  readonly passedOver: ReadonlyMap<OptionKey, Unfit>;
}

/** What the text of a fleet file says, and all that is wrong with that. */
export interface Declared {
  readonly mngrProfile: string | undefined;
  readonly timezone: string | undefined;
  readonly declarations: readonly Declaration[];
  readonly findings: readonly Finding[];
}

const ownKeys = z.object({ mngr_profile: fileOptions.mngr_profile, timezone: fileOptions.timezone });

/** Reads what was parsed from TOML. Where an option is wrong, its default stands in, so that the rest is checked too. */
export function declare(file: Table): Declared {
  const findings: Finding[] = [];
  for (const [key, value] of Object.entries(file)) {
    if (!isFileKey(key)) findings.push(strayFileKey(key, value));
  }
  const { mngr_profile: mngrProfile, timezone } = ownOptions(file, findings);
  const defaults = soundOptions(
    known(tableAt(file, "defaults", findings), ["defaults"], findings),
    ["defaults"],
    findings,
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
  return { mngrProfile, timezone, declarations, findings };
}

function ownOptions(file: Table, findings: Finding[]): z.output<typeof ownKeys> {
  const { success, data, error: failure } = ownKeys.safeParse(file);
  if (!success) {
    for (const issue of failure.issues) {
      const key = issue.path[0] === "timezone" ? "timezone" : "mngr_profile";
      findings.push(findingOf(issue, key, [key], file, fileOptions[key]));
    }
    return {};
  }
  if (data.timezone !== undefined) findings.push(...zoneFindings(data.timezone, ["timezone"]));
  return data;
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

function declaration(name: string, table: Table, defaults: Table, findings: Finding[]): Declaration {
  const path = ["changelings", name];
  let own: Table = known(table, path, findings);
  let options = optionsTable.safeParse({ ...defaults, ...own }).data;
  if (options === undefined) {
    own = soundOptions(own, path, findings);
    options = optionsTable.parse({ ...defaults, ...own });
  }
  // In a fleet of two providers a default may be meant for one of them.
  const passedOver = new Map([...unfitOptions(options)].filter(([key]) => !Object.hasOwn(own, key)));
  if (passedOver.size > 0) options = optionsTable.parse({ ...without(defaults, [...passedOver.keys()]), ...own });
  const place: PlaceOf = (...path) => {
    const [option = ""] = path;
    if (Object.hasOwn(own, option)) return ["changelings", name, ...path];
    return Object.hasOwn(defaults, option) ? ["defaults", ...path] : ["changelings", name];
  };
  findings.push(...optionFindings(options, place));
  return {
    name,
    options,
    place,
    passedOver,
    secretsAreExplicit: Object.hasOwn(own, "secrets") || Object.hasOwn(defaults, "secrets"),
  };
}

/** Defaults that mean nothing for any of the changelings that have them. */
function idleDefaults(declarations: readonly Declaration[]): Finding[] {
  const found = new Map<OptionKey, Finding>();
  for (const [key, unfit] of declarations.flatMap(({ passedOver }) => [...passedOver])) {
    const isUsed = declarations.some(({ place, passedOver }) => place(key)[0] === "defaults" && !passedOver.has(key));
    if (!isUsed) found.set(key, { ...unfit, path: ["defaults", key] });
  }
  return [...found.values()];
}

/** The table without unknown options, which become findings. */
function known(table: Table, path: KeyPath, findings: Finding[]): Table {
  const isKnown = (key: string) => isOptionKey(key) && !(key === "renamed_from" && path.length === 1);
  const strays = Object.keys(table).filter((key) => !isKnown(key));
  findings.push(...strays.map((key) => strayOption([...path, key], key)));
  return strays.length === 0 ? table : without(table, strays);
}

/** The table without the values that are wrong, which become findings. */
export function soundOptions(table: Table, path: KeyPath, findings: Finding[]): Table {
  const kept: Record<string, unknown> = { ...table };
  for (const issue of optionsTable.safeParse(table).error?.issues ?? []) {
    const [key, inner] = issue.path;
    if (typeof key !== "string" || !isOptionKey(key)) continue;
    findings.push(findingOf(issue, key, [...path, key], table, changelingOptions[key]));
    const value = kept[key];
    // One bad entry doesn't keep the others of `env` from being checked.
    if (typeof inner === "string" && isTable(value)) kept[key] = without(value, [inner]);
    else delete kept[key];
  }
  return kept;
}

function without(table: Table, keys: readonly string[]): Table {
  return Object.fromEntries(Object.entries(table).filter(([key]) => !keys.includes(key)));
}
