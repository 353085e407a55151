import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "smol-toml";
import * as z from "zod/mini";

/** A built-in web changeling: the initial content of a repo that is created from scratch for its agent type. */
export interface StockWebType {
  /** The agent type in a fleet file: the folder's name. */
  readonly name: string;
  /** What it does, in one sentence. */
  readonly summary: string;
  /** True if it answers with Claude, which needs ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN. */
  readonly needsClaude: boolean;
  /** Its files, then its bundled packages. All of them are committed, including `node_modules`. */
  readonly copies: readonly StockCopy[];
  /** Absolute path of its machine's own Dockerfile; undefined: it has none. */
  readonly dockerfile: string | undefined;
  /** TOML for the repo's `.mngr/settings.toml`: `[agent_types.<name>]`. Ends with a newline. */
  readonly agentTypes: string;
  /** Changes with the copied files and the agent type: 12 hex digits. */
  readonly fingerprint: string;
}

/** A folder whose contents are copied into a folder of the repo. */
export interface StockCopy {
  /** Absolute. */
  readonly from: string;
  /** Relative to the root of the repo, `.` for the root itself. */
  readonly to: string;
}

const webFile = z.strictObject({
  summary: z.string(),
  /** The stock web changeling whose files it uses; by default its own. */
  files_of: z.optional(z.string()),
  needs_claude: z._default(z.boolean(), false),
  /** npm packages to copy to the repo's `node_modules`. None may depend on another. */
  vendor: z._default(z.array(z.string()), []),
  agent_types: z.record(z.string(), z.record(z.string(), z.unknown())),
});

const folder = fileURLToPath(new URL(".", import.meta.url));
const require = createRequire(import.meta.url);
const known = new Map<string, StockWebType | undefined>();

/** The names of all stock web changelings, sorted. */
export function stockWebTypes(): string[] {
  return readdirSync(folder)
    .filter((name) => stockWebType(name) !== undefined)
    .sort();
}

/**
 * The stock web changeling of that agent type, or undefined. Each is read once. Throws if its folder is not as
 * described in changelings/README.md.
 */
export function stockWebType(name: string): StockWebType | undefined {
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(name)) return undefined;
  if (!known.has(name)) known.set(name, existsSync(join(folder, name, "web.toml")) ? read(name) : undefined);
  return known.get(name);
}

/** The stock changeling that a web changeling is created from; undefined if it has a source, or another type. */
export function stockWebTypeOf(web: {
  readonly source?: string | undefined;
  readonly agentType?: string | undefined;
}): StockWebType | undefined {
  return web.source === undefined && web.agentType !== undefined ? stockWebType(web.agentType) : undefined;
}

function read(name: string): StockWebType {
  const web = readWebFile(name);
  const agentType = web.agent_types[name];
  if (agentType === undefined || Object.keys(web.agent_types).length > 1) {
    throw new Error(`changelings/${name}/web.toml must define [agent_types.${name}], and no other`);
  }
  const agentTypes = `${stringify({ agent_types: web.agent_types }).trimEnd()}\n`;
  const copies = [
    { from: join(folder, web.files_of ?? name, "repo"), to: "." },
    ...web.vendor.map((vendored) => ({ from: packageFolder(vendored), to: `node_modules/${vendored}` })),
  ];
  const { summary, needs_claude: needsClaude } = web;
  const path = join(folder, name, "Dockerfile");
  const dockerfile = existsSync(path) ? path : undefined;
  let fingerprint: string | undefined;
  return {
    ...{ name, summary, needsClaude, copies, dockerfile, agentTypes },
    // Lazy, because it reads all files, and listing the types does not need it.
    get fingerprint() {
      fingerprint ??= fingerprintOf(agentTypes, copies);
      return fingerprint;
    },
  };
}

function readWebFile(name: string): z.output<typeof webFile> {
  try {
    return z.parse(webFile, parse(readFileSync(join(folder, name, "web.toml"), "utf8")));
  } catch (error) {
    throw new Error(`changelings/${name}/web.toml: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Where npm installed it: beside this project, or above it if the project is itself a package. */
function packageFolder(name: string): string {
  const found = (require.resolve.paths(name) ?? []).map((path) => join(path, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`the package ${name} is not installed; repair it with: npm install`);
  return found;
}

function fingerprintOf(agentTypes: string, copies: readonly StockCopy[]): string {
  const hash = createHash("sha256").update(agentTypes);
  for (const { from, to } of copies) {
    const entries = readdirSync(from, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const files = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
    for (const file of files) hash.update(`\0${to}\0${file.slice(from.length)}\0`).update(readFileSync(file));
  }
  return hash.digest("hex").slice(0, 12);
}
