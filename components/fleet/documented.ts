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
