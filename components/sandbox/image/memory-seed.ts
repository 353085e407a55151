import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";

const memory = z.strictObject({
  entities: z.array(z.strictObject({ name: z.string(), entityType: z.string(), observations: z.array(z.string()) })),
  relations: z.array(z.strictObject({ from: z.string(), to: z.string(), relationType: z.string() })),
});
export type Memory = z.output<typeof memory>;

/** The initial content of a repository's memory, from /app/memory-seed.json. */
export function memorySeed(): Memory {
  const file = join(dirname(fileURLToPath(import.meta.url)), "app/memory-seed.json");
  return memory.parse(JSON.parse(readFileSync(file, "utf8")));
}

/** The text of a memory.jsonl in the format of the MCP server `memory`: one JSON object per line. */
export function memoryLines({ entities, relations }: Memory = memorySeed()): string {
  const lines = [
    ...entities.map((entity) => ({ type: "entity", ...entity })),
    ...relations.map((relation) => ({ type: "relation", ...relation })),
  ];
  return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
}
