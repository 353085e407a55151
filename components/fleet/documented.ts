import * as z from "zod/mini";

/** An option's documentation for users. Its type, limits and default are in the schema. */
export interface OptionDoc {
  readonly description: string;
  readonly unit?: string;
  /** A realistic value. */
  readonly example: unknown;
  /** What happens without the option, if its default is not a constant. */
  readonly defaultInWords?: string;
  /** Values in the specification that this version does not support yet. */
  readonly planned?: readonly string[];
  /** Values of another kind, and why this kind does not have them. */
  readonly elsewhere?: Readonly<Record<string, { readonly kind: string; readonly because: string }>>;
}

/** The documentation of each option's schema. */
export const optionDocs = z.registry<OptionDoc>();

export function option<Schema extends z.ZodMiniType>(schema: Schema, doc: OptionDoc): Schema {
  optionDocs.add(schema, doc);
  return schema;
}

/** The documentation of an option; every option has one. */
export function docOf(schema: z.core.$ZodType): OptionDoc {
  const doc = optionDocs.get(schema);
  if (doc === undefined) throw new Error("an option without documentation");
  return doc;
}

/** Where an option of a kind applies. The diagnostics and the reference derive from it. */
export interface Applies {
  /** The providers that it applies to; undefined: all. */
  readonly providers?: readonly string[];
  /** The values that other options must have; `anyValue`: they must be set. */
  readonly needs?: Readonly<Record<string, unknown>>;
  /** Why it is ignored on other providers, with a warning: "whose schedules never sleep". Otherwise it is an error. */
  readonly ignored?: string;
  /** What to write instead, for an option of every kind that this kind never uses. */
  readonly instead?: string;
  /** Like `instead`, for an option without a counterpart, with the reason: "which has no repository". */
  readonly never?: string;
  /** Replaces the derived error message, if that explains too little. */
  readonly otherwise?: { readonly message: string; readonly remedy: string };
}

/** By option. An option that is not listed applies everywhere. */
export type AppliesOf<Options> = Readonly<Partial<Record<keyof Options & string, Applies>>>;

export const anyValue: unique symbol = Symbol("any value");
