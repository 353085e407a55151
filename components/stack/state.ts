import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import * as z from "zod/mini";
import { isMissing } from "../host/files.ts";
import { folderOfBackend, type StackIdentity } from "../host/stack-identity.ts";

const id = z.string().check(z.regex(/^[0-9a-f]{12}$/));

/** What the Commands in a stack's state say about where its resources are. */
export interface StackState {
  /** Installation ids. There is more than one only after an interrupted update. */
  readonly installations: readonly string[];
  /** The names by which its resources on Modal are found. */
  readonly namesOnModal: readonly string[];
  /** Names of other stacks in the URNs of Commands: the state was imported by force. */
  readonly otherStacks: readonly string[];
  readonly commands: readonly CommandState[];
}

/** A Command's environment, including secret values, and its URN. */
export interface CommandState {
  readonly urn: string;
  readonly environment: Readonly<Record<string, unknown>>;
  /** The last output of its script, if secrets can be read. */
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

/**
 * Reads a stack's state from the folder of a file backend. Secrets stay encrypted.
 *
 * @returns undefined for another backend, or if there is no such stack
 */
export function stateInFolder(stack: StackIdentity): StackState | undefined {
  const [text] = stateFiles(stack)?.flatMap((file) => textOf(file) ?? []) ?? [];
  const parsed = text === undefined ? undefined : checkpoint.safeParse(JSON.parse(text)).data;
  return parsed && stateOf(commandsIn(parsed.checkpoint.latest?.resources ?? []));
}

/** Their names are unique among Commands alone: the component of a Command may have the same one. */
export function isCommand(urn: string): boolean {
  return /[:$]command:local:Command::[^:]*$/.test(urn);
}

/** The state of the Command of that name; undefined if there is none. */
export function commandNamed(commands: readonly CommandState[], name: string): CommandState | undefined {
  return commands.find(({ urn }) => urn.endsWith(`::${name}`));
}

function commandsIn(all: z.infer<typeof resourceList>): CommandState[] {
  return all
    .filter(({ urn }) => isCommand(urn))
    .map(({ urn, inputs }) => ({ urn, environment: inputs?.environment ?? {} }));
}

/** Reads a stack's state from the output of `pulumi stack export`. */
export function exportedState(text: string): StackState {
  const parsed = deployment.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error("pulumi stack export printed no state");
  const { resources: all = [] } = parsed.data.deployment;
  return stateOf(commandsIn(all));
}

/** @param stackName the stack that they belong to; undefined: don't compare it with the URNs */
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
 * @returns undefined if that can't be determined from here
 */
export function holdsInstallation(stack: StackIdentity, installation: string): boolean | undefined {
  return stateFiles(stack)?.some((file) => textOf(file)?.includes(`"${installation}"`) === true);
}

/** The possible paths of a stack's state in a file backend; undefined for another backend. */
function stateFiles(stack: StackIdentity): string[] | undefined {
  const folder = folderOfBackend(stack.backend);
  if (folder === undefined) return undefined;
  // With the project as a folder, or without it, as in backends created before Pulumi 3.61.
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
