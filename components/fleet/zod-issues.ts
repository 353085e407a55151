import * as z from "zod/mini";
import { shown } from "../lib/literal-secrets.ts";
import { didYouMean } from "../lib/suggest.ts";
import { type Diagnostic, error, type KeyPath, pathInWords } from "./diagnostics.ts";
import { docOf, optionDocs } from "./documented.ts";
import type { Schemas, Table } from "./kind.ts";
import type { Vocabulary } from "./vocabulary.ts";

type Issue = z.core.$ZodIssue;

export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** An unknown or misplaced key at the top of the file. */
export function unknownFileKey(key: string, value: unknown, { changeling, file }: Vocabulary): Diagnostic {
  if (Object.hasOwn(changeling, key)) {
    return error(
      [key],
      `"${key}" is an option of a changeling`,
      "move it below [defaults], or below a changeling's table",
    );
  }
  const table = tableWith(key, file);
  if (table !== undefined) return error([key], `"${key}" is a key of [${table}]`, `move it below [${table}]`);
  const meant = didYouMean(key, Object.keys(file));
  if (meant !== undefined) return error([key], `unknown key ${shown(key)}`, `did you mean "${meant}"?`);
  if (isTable(value)) return error([key], `unknown table ${shown(key)}`, `for a changeling write [changelings.${key}]`);
  return error([key], `unknown key ${shown(key)}`, `the file's own keys are ${Object.keys(file).join(", ")}`);
}

/** An unknown key in `[defaults]` or in a changeling's table. */
export function unknownOption(path: KeyPath, key: string, { changeling, file }: Vocabulary): Diagnostic {
  if (key === "renamed_from")
    return error(path, "renamed_from can't be a default", "write it below the renamed changeling");
  if (Object.hasOwn(file, key))
    return error(path, `"${key}" is a key of the file`, "move it to the top of the file, above all tables");
  const table = tableWith(key, changeling);
  if (table !== undefined)
    return error(path, `"${key}" is a table of ${table}`, `write [${pathInWords([...path.slice(0, -1), table, key])}]`);
  const meant = didYouMean(key, Object.keys(changeling));
  const remedy = meant === undefined ? "see changelings/REFERENCE.md for all options" : `did you mean "${meant}"?`;
  return error(path, `unknown option ${shown(key)}`, remedy);
}

/** The first of these keys whose value is a table with the given key. */
function tableWith(key: string, schemas: Schemas): string | undefined {
  return Object.keys(schemas).find(
    (name) => name !== "defaults" && schemas[name] !== undefined && Object.hasOwn(shapeOf(schemas[name]), key),
  );
}

/**
 * Converts one of zod's issues to diagnostics; zod reports several unknown keys as one issue.
 *
 * @param path of the table in the file
 * @param options the schemas of the table's keys, each documented
 */
export function diagnosticsOf(issue: Issue, path: KeyPath, table: Table, options: Schemas): Diagnostic[] {
  const keys = issue.path.filter((key): key is string | number => typeof key !== "symbol");
  const value = keys.reduce<unknown>((within, key) => Reflect.get(Object(within), key), table);
  const place = [...path, ...keys];
  const { key, schema, siblings } = documented(options, keys);
  if (issue.code !== "unrecognized_keys") return [diagnosticOf(issue, key, schema, place, value)];
  return issue.keys.map((unknown) => {
    const meant = didYouMean(unknown, siblings);
    const remedy = meant === undefined ? `its keys are ${siblings.join(", ")}` : `did you mean "${meant}"?`;
    return error([...place, unknown], `unknown key ${shown(unknown)}`, remedy);
  });
}

/** The innermost documented key on the path, and its sibling keys. */
function documented(options: Schemas, keys: KeyPath): { key: string; schema: z.core.$ZodType; siblings: string[] } {
  let [key, schema]: [string, z.core.$ZodType | undefined] = ["", undefined];
  let within: Schemas = options;
  for (const part of keys) {
    const next: z.core.$ZodType | undefined = typeof part === "string" ? within[part] : undefined;
    if (typeof part !== "string" || next === undefined || !optionDocs.has(next)) break;
    [key, schema, within] = [part, next, shapeOf(next)];
  }
  if (schema === undefined) throw new Error("an option without documentation");
  return { key, schema, siblings: Object.keys(within) };
}

/** The keys of a table's schema, whatever its default; empty if the schema is not a table's. */
export function shapeOf(schema: z.core.$ZodType): Schemas {
  if (schema instanceof z.ZodMiniObject) return schema.shape;
  const isWrapped =
    schema instanceof z.ZodMiniOptional || schema instanceof z.ZodMiniDefault || schema instanceof z.ZodMiniPrefault;
  return isWrapped ? shapeOf(schema.def.innerType) : {};
}

function diagnosticOf(
  issue: Issue,
  option: string,
  schema: z.core.$ZodType,
  place: KeyPath,
  value: unknown,
): Diagnostic {
  const remedy = `write ${assignment(option, docOf(schema).example)}`;
  switch (issue.code) {
    case "invalid_type": {
      const message = `expected ${typeNames[issue.expected] ?? issue.expected}, found ${described(value, option)}`;
      return error(place, message, typeRemedy(issue.expected, value, option) ?? remedy);
    }
    case "invalid_value":
      return badChoice(place, option, value, issue.values.map(String), schema);
    case "too_small":
      if (typeof value === "string") return error(place, "is empty", `${remedy}, or remove the line`);
      return error(place, `${String(value)} is too small`, `write ${inUnit(issue.minimum, schema)} or more`);
    case "too_big":
      return error(place, `${String(value)} is too large`, `write ${inUnit(issue.maximum, schema)} or less`);
    case "invalid_key":
      return error(
        place,
        `${shown(String(place.at(-1)))} is not the name of a variable`,
        "use only letters, digits and _",
      );
    case "invalid_format":
      return badFormat(place, option, String(value), remedy);
    default:
      return error(place, issue.message, "remove it");
  }
}

function badChoice(
  place: KeyPath,
  option: string,
  value: unknown,
  choices: readonly string[],
  schema: z.core.$ZodType,
): Diagnostic {
  const known = choices.map((choice) => `${option} = "${choice}"`).join(" or ");
  if (typeof value !== "string") return error(place, `found ${described(value, option)}`, `write ${known}`);
  if (docOf(schema).planned?.includes(value) === true) {
    return error(place, `the ${option} "${value}" is not in this version`, `write ${known}, or remove the line`);
  }
  const elsewhere = docOf(schema).elsewhere?.[value];
  if (elsewhere !== undefined) {
    const kind = `kind = "${elsewhere.kind}"`;
    const message = `the ${option} "${value}" is only for ${kind}: ${elsewhere.because}`;
    return error(place, message, `write ${known}, or ${kind}`);
  }
  const meant = didYouMean(value, choices);
  const remedy = meant === undefined ? `write ${known}` : `did you mean ${option} = "${meant}"?`;
  return error(place, `there is no ${option} ${shown(value)}`, remedy);
}

function badFormat(place: KeyPath, option: string, value: string, remedy: string): Diagnostic {
  if (option === "secrets") {
    const message = `${shown(value)} is not the name of a variable: capital letters, digits and _`;
    return error(place, message, "write the name of the variable that holds the secret, not the secret");
  }
  if (option === "renamed_from") return error(place, `${shown(value)} is not a changeling's name`, remedy);
  if (option === "snapshot_max_age" || option === "catch_up_within" || option.endsWith("_ttl"))
    return error(place, `${shown(value)} is not a duration`, remedy);
  return error(place, `${shown(value)} is not a valid ${option.replace("_", " ")}: letters, digits, - and _`, remedy);
}

/** An option's assignment in TOML. */
export function assignment(option: string, value: unknown): string {
  return `${option} = ${tomlValue(value)}`;
}

function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(", ")}]`;
  if (!isTable(value)) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => assignment(key, item));
  return pairs.length === 0 ? "{}" : `{ ${pairs.join(", ")} }`;
}

const typeNames: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a table",
  record: "a table",
};

function typeRemedy(expected: string, value: unknown, option: string): string | undefined {
  if (expected === "boolean") return `write ${option} = true or ${option} = false`;
  const isPlain = typeof value === "number" || typeof value === "boolean";
  return expected === "string" && isPlain ? "write the value in quotes" : undefined;
}

/** Describes a value by its type, and shows it if it is short and can't be a secret. */
export function described(value: unknown, option: string): string {
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  if (isTable(value)) return "a table";
  if (typeof value === "string") return option === "env" ? "a string" : `the string ${shown(value)}`;
  return option === "env" ? `a ${typeof value}` : String(value);
}

function inUnit(limit: number | bigint, schema: z.core.$ZodType): string {
  const { unit } = docOf(schema);
  return unit === undefined ? String(limit) : `${limit} ${unit}`;
}
