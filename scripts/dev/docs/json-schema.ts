import * as z from "zod/mini";
import { whereForKinds } from "../../../components/fleet/applies.ts";
import { optionDocs } from "../../../components/fleet/documented.ts";
import { kindOfSchema, vocabularyOf } from "../../../components/fleet/vocabulary.ts";
import { assignment } from "../../../components/fleet/zod-issues.ts";
import { kinds } from "../../../components/kinds.ts";

export type JsonSchema = z.core.JSONSchema.JSONSchema;

const vocabulary = vocabularyOf(kinds);

/** The only draft that taplo (Even Better TOML) promises to support in full. */
const target = "draft-04";

/** The fleet file's schema, for editors. */
export function fleetSchema(): JsonSchema {
  const { $schema, ...made } = z.toJSONSchema(vocabulary.fileTable, {
    target,
    io: "input",
    metadata: optionDocs,
    override({ zodSchema, jsonSchema, path }) {
      describe(zodSchema, jsonSchema, path.at(-1));
      const { def } = zodSchema._zod;
      if (def.type === "record") constrainNames(def.keyType, jsonSchema);
    },
  });
  return { ...($schema === undefined ? {} : { $schema }), title: "A fleet of changelings", ...made };
}

/** Editors show only the description, so it has to contain everything in the reference's table. */
function describe(option: z.core.$ZodType, schema: JsonSchema, key: string | number | undefined): void {
  const doc = optionDocs.get(option);
  if (doc === undefined || typeof key !== "string") return;
  for (const own of ["unit", "example", "defaultInWords", "planned", "elsewhere"]) delete schema[own];
  const unit = doc.unit === undefined ? "" : ` Unit: ${doc.unit}.`;
  const fallback = doc.defaultInWords === undefined ? "" : ` Default: ${doc.defaultInWords}.`;
  const kind = kindOfSchema(vocabulary, option);
  const whose = kind === undefined ? "" : `For ${assignment("kind", kind)} only. `;
  const where = vocabulary.changeling[key] === option ? whereForKinds(kinds, key) : undefined;
  const applies = where === undefined ? "" : ` ${where}`;
  schema.description = `${whose}${doc.description}${applies}${unit}${fallback}\n\nFor instance: ${assignment(key, doc.example)}`;
}

/** Draft 4 has no `propertyNames`, and zod omits them silently. */
function constrainNames(names: z.core.$ZodType, schema: JsonSchema): void {
  const { pattern } = z.toJSONSchema(names, { target });
  if (pattern === undefined) return;
  schema.patternProperties = { [pattern]: schema.additionalProperties ?? {} };
  schema.additionalProperties = false;
}
