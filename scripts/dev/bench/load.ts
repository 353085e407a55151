import { spawn } from "node:child_process";
import * as z from "zod/mini";

const autocannonResult = z.object({
  requests: z.object({ average: z.number(), total: z.number() }),
  latency: z.object({ p99: z.number() }),
  errors: z.number(),
  non2xx: z.number(),
});
export type Load = z.infer<typeof autocannonResult>;

export const loadConnections = 32;

export interface LoadOptions {
  readonly seconds?: number;
  readonly connections?: number;
}

/** Sends as many requests as are answered, by autocannon in a process of its own. @throws if one is not answered well */
export async function load(
  { url, headers }: { readonly url: string; readonly headers: Readonly<Record<string, string>> },
  { seconds = 1, connections = loadConnections }: LoadOptions = {},
): Promise<Load> {
  const fields = Object.entries(headers).flatMap(([name, value]) => ["--headers", `${name}=${value}`]);
  const counts = ["--connections", String(connections), "--duration", String(seconds)];
  const args = ["node_modules/autocannon/autocannon.js", "--json", "--no-progress", ...counts, ...fields, url];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) output += text;
  const result = autocannonResult.parse(JSON.parse(output));
  if (result.errors + result.non2xx > 0) throw new Error(`${url} did not answer every request: ${output}`);
  return result;
}
