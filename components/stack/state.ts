import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import * as z from "zod/mini";
import { isMissing } from "../host/files.ts";
import { folderOfBackend, type StackIdentity } from "../host/stack-identity.ts";

const id = z.string().check(z.regex(/^[0-9a-f]{12}$/));

/** What the Commands in a stack's state say of where its things are. */
export interface StackState {
  /** Ids. More than one only after an update that was cut short. */
  readonly installations: readonly string[];
  /** The names that its things on Modal are found by. */
  readonly namesOnModal: readonly string[];
  /** Other stacks' names in the URNs of Commands: the state was imported by force. */
  readonly otherStacks: readonly string[];
  readonly commands: readonly CommandState[];
}

/** A Command's environment, with the values of its secrets, and its URN. */
export interface CommandState {
  readonly urn: string;
  readonly environment: Readonly<Record<string, unknown>>;
  /** What its script said last; where secrets can be read. */
  readonly stdout?: string | undefined;
}

const resourceList = z.array(
  z.object({
    urn: z.string(),
    inputs: z.optional(z.object({ environment: z.optional(z.record(z.string(), z.unknown())) })),
  }),
);
const deployment = z.object({ deployment: z.object({ resources: z.optional(resourceList) }) });
const checkpoint = z.object({
  checkpoint: z.object({ latest: z.optional(z.nullable(z.object({ resources: z.optional(resourceList) }))) }),
});

/** The same from the folder of a file backend, where secrets stay encrypted. @returns undefined for another backend, or when there is none */
export function stateInFolder(stack: StackIdentity): StackState | undefined {
  const [text] = stateFiles(stack)?.flatMap((file) => textOf(file) ?? []) ?? [];
  const parsed = text === undefined ? undefined : checkpoint.safeParse(JSON.parse(text)).data;
  return parsed && stateOf(commandsIn(parsed.checkpoint.latest?.resources ?? []));
}

function commandsIn(all: z.infer<typeof resourceList>): CommandState[] {
  return all.map(({ urn, inputs }) => ({ urn, environment: inputs?.environment ?? {} }));
}

/** The same from what `pulumi stack export` printed. */
export function exportedState(text: string): StackState {
  const parsed = deployment.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error("pulumi stack export printed no state");
  const { resources: all = [] } = parsed.data.deployment;
  return stateOf(commandsIn(all));
}

/** @param stackName the stack's that they are of; undefined: it is not compared with those in the URNs */
export function stateOf(commands: readonly CommandState[], stackName?: string): StackState {
  const distinct = (variable: string, form: z.ZodMiniType<string>) => [
    ...new Set(commands.flatMap(({ environment }) => form.safeParse(environment[variable]).data ?? [])),
  ];
  const own = stackName?.split("/").at(-1);
  const stacks = commands.flatMap(({ urn, environment }) =>
    "INSTALLATION" in environment ? (/^urn:pulumi:([^:]+)::/.exec(urn)?.[1] ?? []) : [],
  );
  return {
    installations: distinct("INSTALLATION", id),
    namesOnModal: distinct("STACK", z.string()),
    otherStacks: [...new Set(stacks)].filter((stack) => own !== undefined && stack !== own),
    commands,
  };
}

/**
 * Whether a stack still exists and its state names an installation.
 *
 * @returns undefined when that can't be told from here
 */
export function holdsInstallation(stack: StackIdentity, installation: string): boolean | undefined {
  return stateFiles(stack)?.some((file) => textOf(file)?.includes(`"${installation}"`) === true);
}

/** Where a file backend may keep a stack's state; undefined for another backend. */
function stateFiles(stack: StackIdentity): string[] | undefined {
  const folder = folderOfBackend(stack.backend);
  if (folder === undefined) return undefined;
  // With the project as a folder, or as backends made before Pulumi 3.61 have it.
  const stems = [join(stack.project, stack.stack), stack.stack].map((each) => join(folder, ".pulumi", "stacks", each));
  return stems.flatMap((stem) => [".json", ".json.gz", ".json.zst"].map((extension) => stem + extension));
}

function textOf(file: string): string | undefined {
  try {
    const content = readFileSync(file);
    if (file.endsWith(".gz")) return gunzipSync(content).toString("utf8");
    return (file.endsWith(".zst") ? zstdDecompressSync(content) : content).toString("utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
