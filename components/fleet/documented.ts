import * as z from "zod/mini";

/** What people read of one option; its type, limits and default are in the schema. */
export interface OptionDoc {
  readonly description: string;
  readonly unit?: string;
  /** A value as it might be written. */
  readonly example: unknown;
  /** What happens without it, where that is no constant. */
  readonly defaultInWords?: string;
  /** Values that the specification has and this version has not. */
  readonly planned?: readonly string[];
  /** Values that another kind has, and why this one has not. */
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
