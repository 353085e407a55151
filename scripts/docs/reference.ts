import { changelingOptions, docOf, fileOptions, type OptionDoc } from "../../components/fleet/options.ts";
import { assignment } from "../../components/fleet/shape.ts";
import type { JsonSchema } from "./json-schema.ts";

/** changelings/REFERENCE.md: every option in a table. @param schema the fleet file's */
export function fleetReference(schema: JsonSchema): string {
  const ofFile = schema.properties ?? {};
  const [ofChangeling] = Object.values(schemaOf(ofFile["changelings"]).patternProperties ?? {});
  return `<!-- Made by \`npm run docs\` from components/fleet/options.ts. Edit that file, not this one. -->

# The fleet file

TOML, by default \`~/.changelings/config.toml\`; \`pulumi config set changelings:config <path>\` names another. Two examples: [example.toml](example.toml) to start from, [everything.toml](everything.toml) with every option. A first line \`#:schema <path to this folder>/schema.json\` gives editors that know [taplo](https://taplo.tamasfe.dev) completion and checks. \`npm run changeling -- validate\` names every fault with its line and its remedy.

\`\`\`toml
[changelings.fixme-fairy]
\`\`\`

is a whole fleet: one changeling, named like an agent type, with the defaults below.

## Keys of the file

${optionTable(fileOptions, ofFile)}

## Options of a changeling

In \`[changelings.<name>]\`, or, but for \`renamed_from\`, in \`[defaults]\` for all. A list or table replaces the default's whole.

${optionTable(changelingOptions, schemaOf(ofChangeling).properties ?? {})}
`;
}

/** JSON Schema also knows `true` and lists of schemas; the fleet's has neither. */
function schemaOf(schema: Child): JsonSchema {
  return typeof schema === "object" && !Array.isArray(schema) ? schema : {};
}

type Child = JsonSchema["additionalProperties"] | JsonSchema["items"];

type Documented = Readonly<Record<string, Parameters<typeof docOf>[0]>>;

function optionTable(options: Documented, schemas: Readonly<Record<string, Child>>): string {
  const rows = Object.entries(options).map(([key, option]) => row(key, docOf(option), schemaOf(schemas[key])));
  return aligned([["option", "type", "default", "unit", "what it does"], ...rows]);
}

function row(key: string, doc: OptionDoc, schema: JsonSchema): string[] {
  const preset =
    schema.default === undefined ? (doc.defaultInWords ?? "") : code(assignment("", schema.default).slice(3));
  const example = `For instance ${code(assignment(key, doc.example))}.`;
  return [code(key), typeInWords(schema), preset, unitInWords(doc, schema), `${doc.description} ${example}`];
}

/** A Markdown table as the formatter writes it. The first row is the head. */
function aligned(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const [head = [], ...body] = cells;
  const rule = widths.map((width) => "-".repeat(width));
  return [head, rule, ...body]
    .map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`)
    .join("\n");
}

function unitInWords({ unit = "" }: OptionDoc, { minimum, maximum }: JsonSchema): string {
  return minimum === undefined || maximum === undefined ? unit : `${unit}, ${minimum} to ${maximum}`;
}

function typeInWords({ type, enum: choices, items, patternProperties }: JsonSchema): string {
  if (choices !== undefined) return choices.map((choice) => code(JSON.stringify(choice))).join(" or ");
  if (type === "array") return `list of ${typeInWords(schemaOf(items))}s`;
  const [named] = Object.values(patternProperties ?? {});
  if (named !== undefined) return `table of ${typeInWords(schemaOf(named))}s`;
  if (type === "object") return "table";
  return typeof type === "string" ? type : "";
}

function code(text: string): string {
  return `\`${text}\``;
}
