import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { canonicalJson } from "../../../components/lib/json.ts";

const settings = z.object({
  node: z.string(),
  databaseUrl: z.string(),
  folder: z.string(),
  host: z.string(),
  port: z.number(),
  /** What DNS answers. */
  peers: z.array(z.string()),
  probationSeconds: z.number(),
  cookie: z.string(),
});
export type NodeSettings = z.output<typeof settings>;

export function nodeSettings(environment: NodeJS.ProcessEnv): NodeSettings {
  return settings.parse(JSON.parse(environment["NODE_SETTINGS"] ?? ""));
}

const behaviours = z.record(z.string(), z.enum(["does not start", "fails its probation"]));
/** What a version does, by node; by default it starts, and passes. */
export type Behaviours = z.output<typeof behaviours>;

export function behaviourOf(bundle: string, node: string): Behaviours[string] | undefined {
  return behaviours.parse(JSON.parse(bundle.replace(/^\/\/.*\n/, "")))[node];
}

/** The text of a `handle.ts`; different for each number. */
export function handleOf(number: number, of: Behaviours = {}): string {
  return `// ${number}\n${JSON.stringify(of)}`;
}

export function sourceHash(sources: Readonly<Record<string, string>>): string {
  return createHash("sha256").update(canonicalJson(sources)).digest("hex");
}
