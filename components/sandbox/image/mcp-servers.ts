import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { mcpServer } from "../spec.ts";

const imageServer = z.extend(mcpServer, {
  /** Whether the image is broken without it. */
  required: z.boolean(),
});

/** The image's MCP servers by name, from /app/mcp-servers.json. They work with every runtime. */
export function imageMcpServers(): Readonly<Record<string, z.output<typeof imageServer>>> {
  const file = join(dirname(fileURLToPath(import.meta.url)), "app/mcp-servers.json");
  return z.record(z.string(), imageServer).parse(JSON.parse(readFileSync(file, "utf8")));
}
