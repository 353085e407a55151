import * as z from "zod/mini";
import { canonicalJson } from "./lib/json.ts";

/**
 * A Command gets its spec as environment variables, one per field and readable, because previews show them. A table
 * defines the variable's name and codec for each field; an undefined value has no variable. The text is in the state of
 * every stack, so a different encoding would show a change of every user's resources.
 */
export type VariableTable = Readonly<Record<string, readonly [name: string, form: Form]>>;

type Form = z.core.$ZodType<unknown, string | undefined>;

/** The keys whose values may be undefined. */
type Optional<Shape> = { [Key in keyof Shape]: undefined extends Shape[Key] ? Key : never }[keyof Shape];
type WithOptional<Shape> = { [Key in Exclude<keyof Shape, Optional<Shape>>]: Shape[Key] } & {
  [Key in Optional<Shape>]?: Shape[Key] | undefined;
};

/** The decoded values of a table's variables. */
export type ValuesOf<Table extends VariableTable> = WithOptional<{ [Key in keyof Table]: z.output<Table[Key][1]> }>;
/** The encoded values, by variable name. */
export type EnvironmentOf<Table extends VariableTable> = WithOptional<{
  [Key in keyof Table as Table[Key][0]]: z.input<Table[Key][1]>;
}>;

export interface EnvironmentCodec<Table extends VariableTable> {
  readonly table: Table;
  /** Decodes an environment. Other variables are ignored, and undefined values are omitted. */
  readonly schema: z.ZodMiniType<ValuesOf<Table>>;
  /** @throws for a value that its table does not allow */
  encode(values: ValuesOf<Table>): EnvironmentOf<Table>;
  /** @throws z.core.$ZodError for an environment that does not match the table */
  decode(environment: object): ValuesOf<Table>;
  /** Maps keys to variable names, for values that are already texts, or become texts later (outputs). */
  named<Key extends keyof Table, Text>(texts: Readonly<Record<Key, Text>>): Record<Table[Key][0], Text>;
}

export function environmentCodec<const Table extends VariableTable>(table: Table): EnvironmentCodec<Table> {
  const entries = Object.entries(table);
  const byName = z.object(Object.fromEntries(entries.map(([, [name, form]]) => [name, form])));
  const byKey = z.transform((found: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(
      entries.flatMap(([key, [name]]) => (found[name] === undefined ? [] : [[key, found[name]] as const])),
    ),
  );
  const schema = z.pipe(z.pipe(byName, byKey), z.custom<ValuesOf<Table>>());
  const environment = z.custom<EnvironmentOf<Table>>();
  return {
    table,
    schema,
    encode: (values) => {
      const given: Readonly<Record<string, unknown>> = values;
      return environment.parse(
        Object.fromEntries(entries.map(([key, [name, form]]) => [name, z.encode(form, given[key])])),
      );
    },
    decode: (variables) => schema.parse(variables),
    named<Key extends keyof Table, Text>(texts: Readonly<Record<Key, Text>>) {
      const given: Readonly<Record<string, unknown>> = texts;
      const all = entries.flatMap(([key, [name]]) => (key in given ? [[name, given[key]]] : []));
      return z.custom<Record<Table[Key][0], Text>>().parse(Object.fromEntries(all));
    },
  };
}

export const text = z.string();
export const optionalText = z.optional(text);

export const yesNo = z.codec(z.enum(["yes", "no"]), z.boolean(), {
  decode: (word) => word === "yes",
  encode: (value) => (value ? "yes" : "no"),
});

export const number = z.codec(text, z.number(), { decode: Number, encode: String });
export const optionalNumber = z.optional(number);

const texts = z.readonly(z.array(z.string()));

/** JSON; an empty list has no variable. */
export const list = z.codec(optionalText, texts, {
  decode: (json, context) => (json === undefined ? [] : parsed(json, context)),
  encode: (values) => (values.length > 0 ? JSON.stringify(values) : undefined),
});

/** A JSON object with string values; an empty one has no variable. */
export const record = z.codec(optionalText, z.record(z.string(), z.string()), {
  decode: (json, context) => (json === undefined ? {} : parsed(json, context)),
  encode: (values) => (Object.keys(values).length > 0 ? JSON.stringify(values) : undefined),
});

/** JSON of a table, with sorted keys; an empty one has no variable. */
export function json<Value extends object>(schema: z.ZodMiniType<Value, Value>) {
  return z.codec(optionalText, schema, {
    decode: (written, context) => (written === undefined ? {} : parsed(written, context)),
    encode: (value) => (Object.keys(value).length > 0 ? canonicalJson(value) : undefined),
  });
}

/** An ordered list of names: `A, B`; an empty one has no variable. */
export const names = z.codec(optionalText, texts, {
  decode: (joined) => (joined === undefined ? [] : joined.split(", ")),
  encode: (values) => (values.length > 0 ? [...values].sort().join(", ") : undefined),
});

/** The error does not quote the text, which may be a secret. */
function parsed(json: string, { issues }: { issues: z.core.$ZodRawIssue[] }) {
  try {
    return JSON.parse(json);
  } catch {
    issues.push({ code: "custom", message: "it is no JSON", input: undefined });
    return z.NEVER;
  }
}

/** The variables that every changeling of the kinds with one Command per changeling has. */
export const changelingVariables = {
  name: ["NAME", text],
  description: ["DESCRIPTION", optionalText],
  installation: ["INSTALLATION", text],
  enabled: ["ENABLED", yesNo],
  /** Names of the secrets that it gets. */
  secrets: ["SECRETS", names],
  env: ["ENV", record],
  /** Its former name: what it keeps is kept under the new one. */
  renamedFrom: ["RENAMED_FROM", optionalText],
} as const;
