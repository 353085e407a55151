import * as z from "zod/mini";
import { whereForKinds, whereInWords } from "../../../components/fleet/applies.ts";
import { docOf, type OptionDoc } from "../../../components/fleet/documented.ts";
import { vocabularyOf } from "../../../components/fleet/vocabulary.ts";
import { assignment, shapeOf } from "../../../components/fleet/zod-issues.ts";
import { kinds } from "../../../components/kinds.ts";
import { runtimes } from "../../../components/sandbox/runtimes/registry.ts";
import type { JsonSchema } from "./json-schema.ts";
import { seedMetricRows } from "./seed-metrics.ts";
import { seedVariableRows } from "./seed-variables.ts";

const vocabulary = vocabularyOf(kinds);

/** Renders changelings/REFERENCE.md: every option in a table. @param schema the fleet file's */
export function fleetReference(schema: JsonSchema): string {
  const ofFile = schema.properties ?? {};
  const [named] = Object.values(schemaOf(ofFile["changelings"]).patternProperties ?? {});
  const ofChangeling = propertiesOf(named);
  return `<!-- Made by \`npm run docs\` from the definitions of the options (CONTRIBUTING.md says where). Edit those, not this file. -->

# The fleet file

TOML, by default \`~/.changelings/config.toml\`; \`pulumi config set changelings:config <path>\` names another. Two examples: [example.toml](example.toml) to start from, [everything.toml](everything.toml) with every option. A first line \`#:schema <path to this folder>/schema.json\` gives completion and checks in editors that use [taplo](https://taplo.tamasfe.dev). \`npm run changeling -- validate\` reports every error with its line and remedy.

\`\`\`toml
[changelings.fixme-fairy]
\`\`\`

is a whole fleet: one changeling, named like an agent type, with the defaults below. So is this web changeling:

\`\`\`toml
[changelings.chat]
kind = "web"
\`\`\`

## Keys of the file

${optionTable(vocabulary.file, ofFile)}

${settingsTables(ofFile).join("\n\n")}

## Options of every changeling

In \`[changelings.<name>]\`, or for all, except \`renamed_from\`, in \`[defaults]\`. A list or table replaces the default as a whole.

${optionTable(vocabulary.shared, ofChangeling, (key) => whereForKinds(kinds, key))}

${Object.keys(vocabulary.kinds)
  .map((name) => kindSection(name, ofChangeling))
  .join("\n\n")}

${runtimeSections().join("\n\n")}

## Variables of a seed agent's service

Names in \`secrets\` and keys of \`env\` of \`kind = "seed-agent"\`. Another name in \`env\` is an error.

${aligned([["variable", "set by", "default", "unit", "what it does"], ...seedVariableRows()])}

## Metrics of a seed agent's service

At \`/metrics\`, besides prom-client's own of the process and of Node (\`process_…\`, \`nodejs_…\`). A gauge that can't be read
is \`NaN\`.

${aligned([["metric", "type", "labels", "unit", "what it counts"], ...seedMetricRows()])}
`;
}

/** The options of each runtime of sandboxes. */
function runtimeSections(): string[] {
  return Object.entries(runtimes).flatMap(([name, { table }]) => {
    const options = shapeOf(table);
    if (Object.keys(options).length === 0) return [];
    const head = `## Options in \`runtime_config\` of \`runtime = "${name}"\``;
    return [`${head}\n\n${optionTable(options, propertiesOf(z.toJSONSchema(table, { io: "input" })))}`];
  });
}

/** A section for each of the file's tables that belongs to one kind. */
function settingsTables(ofFile: Schemas): string[] {
  return Object.entries(vocabulary.file).flatMap(([key, schema]) => {
    const within = shapeOf(schema);
    if (key === "defaults" || Object.keys(within).length === 0) return [];
    return [`## Keys of \`[${key}]\`\n\n${optionTable(within, propertiesOf(ofFile[key]))}`];
  });
}

function kindSection(name: string, ofChangeling: Schemas): string {
  const options = vocabulary.kinds[name]?.options ?? {};
  const head = `## Options of \`kind = "${name}"\`\n\nIn \`[changelings.<name>]\` or \`[defaults]\`. In a changeling of another kind they are errors; those in \`[defaults]\` don't apply to it.`;
  const tables = Object.entries(options).flatMap(([key, option]) =>
    Object.keys(shapeOf(option)).length === 0 ? [] : tablesBelow(key, shapeOf(option), propertiesOf(ofChangeling[key])),
  );
  const kind = vocabulary.kinds[name];
  const own = optionTable(options, ofChangeling, (key) => kind && whereInWords(kind, key));
  return [head, own, ...tables].join("\n\n");
}

/** A section for each key that is a table, including nested ones. */
function tablesBelow(path: string, options: Documented, schemas: Schemas): string[] {
  return Object.entries(options).flatMap(([key, option]) => {
    const [within, below] = [shapeOf(option), propertiesOf(schemas[key])];
    if (Object.keys(within).length === 0) return [];
    const name = `${path}.${key}`;
    const own = `### \`[changelings.<name>.${name}]\`\n\n${docOf(option).description}`;
    return [`${own}\n\n${optionTable(within, below)}`, ...tablesBelow(name, within, below)];
  });
}

function propertiesOf(schema: Child): Schemas {
  return schemaOf(schema).properties ?? {};
}

type Schemas = Readonly<Record<string, Child>>;

/** JSON Schema also allows `true` and lists of schemas. The fleet's contains neither. */
function schemaOf(schema: Child): JsonSchema {
  return typeof schema === "object" && !Array.isArray(schema) ? schema : {};
}

type Child = JsonSchema["additionalProperties"] | JsonSchema["items"];

type Documented = Readonly<Record<string, Parameters<typeof docOf>[0]>>;

/** @param where says where an option applies, in words */
function optionTable(
  options: Documented,
  schemas: Schemas,
  where: (key: string) => string | undefined = () => undefined,
): string {
  const rows = Object.entries(options).map(([key, option]) =>
    row(key, docOf(option), schemaOf(schemas[key]), where(key)),
  );
  return aligned([["option", "type", "default", "unit", "what it does"], ...rows]);
}

function row(key: string, doc: OptionDoc, schema: JsonSchema, where: string | undefined): string[] {
  const preset =
    doc.defaultInWords ?? (schema.default === undefined ? "" : code(assignment("", schema.default).slice(3)));
  const example = `For instance ${code(assignment(key, doc.example))}.`;
  return [
    code(key),
    typeInWords(schema),
    preset,
    unitInWords(doc, schema),
    [doc.description, ...(where === undefined ? [] : [where]), example].join(" "),
  ];
}

/** A Markdown table in the formatter's layout. The first row is the head. */
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
  const limits = minimum === undefined || maximum === undefined ? [] : [`${minimum} to ${maximum}`];
  return [...(unit === "" ? [] : [unit]), ...limits].join(", ");
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
