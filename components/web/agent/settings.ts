import { parse, stringify, type TomlTable } from "smol-toml";
import * as z from "zod/mini";
import { commitOf, type Git } from "../../git/git.ts";
import type { WebSpec } from "./spec.ts";

/**
 * The agent settings in an agent's repository. mngr would run commands from them on this machine and give files of this
 * machine to the agent, so it never sees the repository's settings, only the accepted part. They are read from a
 * commit, where symbolic links are not followed.
 */

const template = "entrypoint";
/** In the order in which mngr merges them. */
const settingsFiles = [".mngr/settings.toml", ".mngr/settings.local.toml"] as const;
/** Spec 001's name of the first. */
const olderFile = ".mng/settings.toml";
const mostBytes = 65_536;

/** The settings that mngr gets instead of the repository's. */
export interface AgentSettings {
  /** Contents by file name of the folder that mngr takes for the project's. */
  readonly files: Readonly<Record<string, string>>;
  /** The create template to use; undefined if the repository has none. */
  readonly template: string | undefined;
}

/**
 * Reads the settings from a commit of an agent's repository.
 *
 * @throws with every rejected key, or if neither the repository nor the declaration names the agent type
 */
export async function agentSettings(git: Git, commit: string, spec: WebSpec): Promise<AgentSettings> {
  const found = await textsAt(git, commit, [...settingsFiles, olderFile]);
  try {
    return settingsOf(found, spec, commit);
  } catch {
    // Only an error names the commit, so git is only asked for it then.
    return settingsOf(found, spec, (await commitOf(git, commit))?.slice(0, 12) ?? commit);
  }
}

/**
 * @param texts contents by path, or the reason why a file can't be used
 * @param at names the commit in messages
 */
export function settingsOf(
  texts: ReadonlyMap<string, string | { readonly unusable: string }>,
  spec: Pick<WebSpec, "name" | "provider" | "source" | "agentType">,
  at: string,
): AgentSettings {
  const wanted = texts.has(settingsFiles[0]) ? settingsFiles : [olderFile, settingsFiles[1]];
  const problems: string[] = [];
  const read = wanted.flatMap((file) => {
    const text = texts.get(file);
    if (text === undefined) return [];
    const accepted = typeof text === "string" ? acceptedOf(text) : { problems: [text.unusable] };
    problems.push(...accepted.problems.map((problem) => `${problem} in ${file}`));
    return "settings" in accepted ? [{ file, settings: accepted.settings }] : [];
  });
  problems.push(
    ...foreignTypes(
      read.map(({ settings }) => settings),
      spec,
    ),
  );
  if (problems.length > 0) {
    throw new Error(
      `the repository of ${spec.name} (commit ${at}) has settings that an agent's repository may not contain: ${problems.join("; ")}. ` +
        "Remove them there and commit, or put them into your own mngr settings; accepted settings: docs/reference/web-agents.md",
    );
  }
  const hasTemplate = read.some(({ settings }) => settings.create_templates?.[template] !== undefined);
  if (!hasTemplate && spec.agentType === undefined) {
    throw new Error(
      `${spec.source} does not define its agent type; write agent_type = "…" into the fleet file, or add to its ` +
        `.mngr/settings.toml: [create_templates.${template}] with type = "…"`,
    );
  }
  const files = read.map(({ file, settings }) => [
    file === settingsFiles[1] ? "settings.local.toml" : "settings.toml",
    stringify(settings),
  ]);
  return { files: Object.fromEntries(files), template: hasTemplate ? template : undefined };
}

async function textsAt(git: Git, commit: string, files: readonly string[]) {
  const listed = await git.run(["ls-tree", "-z", "--long", "--full-tree", commit, "--", ...files]);
  const texts = new Map<string, string | { unusable: string }>();
  for (const entry of listed.split("\0")) {
    const [, mode, kind, object = "", size, file] = /^(\d+) (\w+) ([0-9a-f]+) +(\d+|-)\t(.*)$/s.exec(entry) ?? [];
    if (file === undefined) continue;
    if (kind !== "blob" || mode === "120000") texts.set(file, { unusable: "something other than a regular file" });
    else if (Number(size) > mostBytes) texts.set(file, { unusable: `more than ${mostBytes} bytes` });
    else texts.set(file, await git.run(["cat-file", "blob", object]));
  }
  return texts;
}

const name = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/));
/** These labels identify agents. */
const isReserved = (label: string) => /^(CREATOR=|changeling)/i.test(label);
const pairs = z.array(z.string().check(z.regex(/^[A-Za-z_][\w.-]*=/)));

/** Accepted keys and their types. For an agent on its own machine, none of them runs anything on this one. */
const ofType = {
  parent_type: name,
  command: z.string(),
  cli_args: z.union([z.string(), z.array(z.string())]),
  env: pairs,
} as const;
const ofTemplate = {
  type: name,
  agent_type: name,
  env: pairs,
  label: pairs.check(z.refine((labels) => !labels.some(isReserved))),
  /** Ignored: nobody is there to connect. */
  connect: z.boolean(),
} as const;

interface Settings extends TomlTable {
  agent_types?: Record<string, TomlTable>;
  create_templates?: Record<string, TomlTable>;
}

type Accepted = { readonly problems: readonly string[]; readonly settings?: Settings };

function acceptedOf(text: string): Accepted {
  let table: TomlTable;
  try {
    table = parse(text);
  } catch (error) {
    const [why = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    return { problems: [`what is not valid TOML (${why})`] };
  }
  const problems: string[] = [];
  const settings: Settings = {};
  for (const [key, value] of Object.entries(table)) {
    if (key === "agent_types") settings.agent_types = namedTables(value, key, ofType, problems, () => true);
    else if (key === "create_templates") {
      const templates = namedTables(value, key, ofTemplate, problems, (each) => each === template);
      settings.create_templates = Object.fromEntries(
        Object.entries(templates).map(([each, { agent_type, connect, ...rest }]) => {
          const type = rest["type"] ?? agent_type;
          return [each, type === undefined ? rest : { ...rest, type }];
        }),
      );
    } else problems.push(shown(key));
  }
  return { problems, settings };
}

function namedTables(
  value: unknown,
  path: string,
  accepted: Readonly<Record<string, z.core.$ZodType>>,
  problems: string[],
  isWanted: (name: string) => boolean,
): Record<string, TomlTable> {
  if (!isTable(value)) {
    problems.push(path);
    return {};
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([each, table]) => {
      const at = `${path}.${shown(each)}`;
      if (!name.safeParse(each).success || !isWanted(each) || !isTable(table)) {
        problems.push(at);
        return [];
      }
      const kept = Object.entries(table).filter(([key, content]) => {
        const schema = Object.hasOwn(accepted, key) ? accepted[key] : undefined;
        const isFine = schema !== undefined && z.core.safeParse(schema, content).success;
        if (!isFine) problems.push(`${at}.${shown(key)}`);
        return isFine;
      });
      return [[each, Object.fromEntries(kept)]];
    }),
  );
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Keys are untrusted text from the agent and are shown on a terminal. */
function shown(key: string): string {
  return /^[\w-]{1,60}$/.test(key) ? key : JSON.stringify(key.slice(0, 60));
}

/**
 * For some agent types, including Claude's, mngr copies this machine's settings and logins to the agent's machine. So
 * for an agent on its own machine only the fleet file can choose such a type, not the repository.
 */
function foreignTypes(
  all: readonly Settings[],
  { provider, agentType }: Pick<WebSpec, "provider" | "agentType">,
): string[] {
  if (provider === "local") return [];
  const own = new Map<string, unknown>();
  let type: unknown;
  for (const settings of all) {
    for (const [each, table] of Object.entries(settings.agent_types ?? {}))
      own.set(each, table["parent_type"] ?? own.get(each));
    type = settings.create_templates?.[template]?.["type"] ?? type;
  }
  const problems = [...own].flatMap(([each, parent]) =>
    parent === "command" || (parent === undefined && each === agentType)
      ? []
      : [
          `agent_types.${each} without parent_type = "command" (for other types, mngr copies your own login to its machine)`,
        ],
  );
  const isOwn = type === undefined || type === "command" || own.has(String(type));
  if (isOwn || agentType !== undefined) return problems;
  const remedy = `write agent_type = "${type}" into the fleet file if you trust it with your own login of that program`;
  return [...problems, `create_templates.${template}.type = "${type}", which it does not define itself; ${remedy}`];
}
