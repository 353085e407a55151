/**
 * `npm run docs`: generates the fleet file's reference and its schema for editors from the definition of its options.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { projectFolder } from "../stack/project.ts";
import { argumentsOf } from "../stack/setup/arguments.mjs";
import { fleetSchema } from "./docs/json-schema.ts";
import { fleetReference } from "./docs/reference.ts";

/** The generated files by path, relative to the project. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const schema = fleetSchema();
  return new Map([
    ["changelings/schema.json", json(schema)],
    ["changelings/REFERENCE.md", fleetReference(schema)],
  ]);
}

/** Formatted like the formatter's output: lists of words on one line. */
function json(value: unknown): string {
  const text = JSON.stringify(value, null, 2).replace(/\[\n\s+([^[\]{}]+?)\n\s+\]/g, (_, items: string) => {
    return `[${items.replace(/\n\s+/g, " ")}]`;
  });
  return `${text}\n`;
}

/** The generated files that are missing or out of date in the project. */
export function staleFiles(project: string): string[] {
  return [...generatedFiles()].flatMap(([path, text]) => (read(join(project, path)) === text ? [] : [path]));
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function main(): number {
  const { values } = argumentsOf("docs");
  const stale = staleFiles(projectFolder);
  if (values["check"] === true) {
    for (const path of stale) process.stderr.write(`${path} is stale\n    → npm run docs\n`);
    return stale.length > 0 ? 1 : 0;
  }
  const files = generatedFiles();
  for (const path of stale) {
    writeFileSync(join(projectFolder, path), files.get(path) ?? "");
    process.stdout.write(`${relative(process.cwd(), join(projectFolder, path))} written\n`);
  }
  if (stale.length === 0) process.stdout.write("The generated files are up to date.\n");
  return 0;
}

if (import.meta.main) process.exitCode = main();
