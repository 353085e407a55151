import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import * as z from "zod/mini";

/** A built-in agent, assembled from its folder here. Texts end without a newline. */
export interface StockChangeling {
  /** The agent type in a fleet file: the folder's name. */
  readonly name: string;
  /** What it does, in one sentence. */
  readonly summary: string;
  /**
   * The type passed to mngr (`--type`). Not the stock name, which mngr would know for at most one invocation: it would
   * warn about the agent in every later command, and report another state than the parent type's.
   */
  readonly parentType: string;
  /** True if the agent talks and waits for input, false if it is a command that exits. */
  readonly isConversational: boolean;
  /** The first message: the prompt, or a slash command. Undefined for a command. */
  readonly message: string | undefined;
  /** POSIX sh in one self-contained text, to run in the agent's work tree. Undefined for a conversation. */
  readonly script: string | undefined;
  /** Arguments of the agent if the fleet file declares none (`mngr create … -- ARGS`). */
  readonly args: readonly string[];
  /** Settings of the type for one invocation, each the value of an `-S` option of `mngr create`. */
  readonly settings: readonly string[];
  /** Changes with everything that a run receives: 12 hex digits. */
  readonly fingerprint: string;
}

const settingsTable = z.record(z.string(), z.unknown());
const stockFile = z.strictObject({ summary: z.string(), message: z.optional(z.string().check(z.startsWith("/"))) });
const agentTypeFile = z.strictObject({
  agent_types: z.record(z.string(), z.catchall(z.object({ parent_type: z.string() }), z.unknown())),
});

const folder = fileURLToPath(new URL(".", import.meta.url));
const known = new Map<string, StockChangeling | undefined>();

/** All stock changelings, by name. Throws if a folder is not as described in changelings/README.md. */
export function stockChangelings(): readonly StockChangeling[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => stockChangeling(name) ?? []);
}

/** The stock changeling of that agent type, or undefined. Each is read once, on first use. */
export function stockChangeling(type: string): StockChangeling | undefined {
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(type)) return undefined;
  if (!known.has(type)) known.set(type, existsSync(join(folder, type, "stock.toml")) ? read(type) : undefined);
  return known.get(type);
}

function read(name: string): StockChangeling {
  const stock = readToml(stockFile, name, "stock.toml");
  const own = existsSync(join(folder, name, "agent_type.toml"))
    ? readToml(agentTypeFile, name, "agent_type.toml").agent_types[name]
    : { parent_type: name };
  if (own === undefined) throw new Error(`changelings/${name}/agent_type.toml must define [agent_types.${name}]`);
  const { parent_type: parentType, ...ownSettings } = own;
  const made = parentType === "command" ? aCommand(name, ownSettings) : aConversation(name, stock.message, ownSettings);
  const run = {
    name,
    parentType,
    isConversational: parentType !== "command",
    message: made.message,
    script: made.script,
    args: [],
    settings: Object.entries(made.settings)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `agent_types.${parentType}.${key}=${JSON.stringify(value)}`),
  };
  const fingerprint = createHash("sha256").update(JSON.stringify(run)).digest("hex").slice(0, 12);
  return { ...run, summary: stock.summary, fingerprint };
}

interface Made {
  readonly message: string | undefined;
  readonly script: string | undefined;
  readonly settings: Record<string, unknown>;
}

/** The rules are part of the system prompt, so they apply to the whole conversation, whatever its first message. */
function aConversation(name: string, command: string | undefined, own: Record<string, unknown>): Made {
  const prompt = readText(name, "prompt.md");
  const rules = readText("common.md");
  const settings = { ...readToml(settingsTable, "common.toml"), ...own };
  // A slash command brings mngr's own instructions. Ours precede them.
  const system = command === undefined ? rules : `${prompt}\n\n${rules}`;
  return { message: command ?? prompt, script: undefined, settings: { ...settings, append_system_prompt: [system] } };
}

/** The runner gets a script as one text, so the awk programs beside it become its variables. */
function aCommand(name: string, settings: Record<string, unknown>): Made {
  const programs = readdirSync(join(folder, name))
    .filter((file) => file.endsWith(".awk"))
    .sort()
    .map((file) => `${file.replace(".", "_")}='${readText(name, file).replaceAll("'", "'\\''")}'`);
  return { message: undefined, script: ["#!/bin/sh", ...programs, readText(name, "agent.sh")].join("\n"), settings };
}

function readText(...path: string[]): string {
  return readFileSync(join(folder, ...path), "utf8").trimEnd();
}

function readToml<Schema extends z.core.$ZodType>(schema: Schema, ...path: string[]): z.output<Schema> {
  try {
    return z.parse(schema, parse(readText(...path)));
  } catch (error) {
    throw new Error(`changelings/${path.join("/")}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
