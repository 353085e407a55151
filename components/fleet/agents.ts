import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { shown } from "../lib/literal-secrets.ts";
import { didYouMean } from "../lib/suggest.ts";
import { type MngrSettings, readMngrSettings } from "../mngr/settings.ts";
import { type Diagnostic, error, type KeyPathOf, warning } from "./diagnostics.ts";

/** The agent types of mngr 0.3.0 and imbue-mngr-claude, with their parents. */
const shipped: Readonly<Record<string, string>> = {
  command: "command",
  headless_command: "headless_command",
  claude: "claude",
  headless_claude: "headless_claude",
  "fixme-fairy": "claude",
  "code-guardian": "claude",
};

/** The agent types that a changeling can use. */
export class AgentTypes {
  readonly #parents: ReadonlyMap<string, string | undefined>;

  /**
   * @param settings the user's and the repository's mngr settings, which add types to the shipped and stock ones
   * @param stock the stock types of cron changelings, or of web ones
   */
  constructor(settings?: MngrSettings, stock: ReadonlyMap<string, string | undefined> = stockTypes()) {
    this.#parents = new Map([...Object.entries(shipped), ...stock, ...known(settings)]);
  }

  names(): string[] {
    return [...this.#parents.keys()].sort();
  }

  has(type: string): boolean {
    return this.#parents.has(type);
  }

  /** The shipped type that it is based on; undefined if unknown. */
  base(type: string): string | undefined {
    const seen = new Set<string>();
    let current = type;
    while (!seen.has(current)) {
      seen.add(current);
      const parent = this.#parents.get(current) ?? shipped[current];
      if (parent === undefined || parent === current) return shipped[current];
      current = parent;
    }
    return undefined;
  }
}

/** Settings without a parent modify a type, but don't change its base. */
function known(settings: MngrSettings | undefined): [string, string | undefined][] {
  return [...(settings?.parents ?? [])].map(([name, parent]) => [
    name,
    parent ?? stockTypes().get(name) ?? shipped[name],
  ]);
}

const stockFolder = fileURLToPath(new URL("../../changelings", import.meta.url));
type Parents = ReadonlyMap<string, string | undefined>;
let stock: Parents | undefined;
let stockWeb: Parents | undefined;

/** The types that the stock changelings of `kind = "cron"` define, with their parents. Read once. */
export function stockTypes(): Parents {
  stock ??= readStockTypes(stockFolder, "agent_type.toml");
  return stock;
}

/** The types that the stock changelings of `kind = "web"` define, with their parents. Read once. */
export function stockWebTypes(): Parents {
  stockWeb ??= readStockTypes(stockFolder, "web.toml");
  return stockWeb;
}

/** @param folder contains one folder for each stock changeling; those with such a file define a type */
export function readStockTypes(folder: string, file: "agent_type.toml" | "web.toml"): Parents {
  const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );
  return readMngrSettings(names.map((name) => join(folder, name, file))).parents;
}

/**
 * Whether agents of the type are conversational: they never end by themselves, but become idle. Knows only the shipped
 * and the stock types; for types in settings, see `DeclaredCron.isConversational`.
 */
export function isConversational(type: string): boolean {
  return new AgentTypes().base(type) === "claude";
}

export const repoSettingsIgnored = "on Modal only your own settings apply, not the repository's";

/** The agent types and templates that a changeling can use. */
export interface AgentKnowledge {
  readonly types: AgentTypes;
  readonly templates: ReadonlySet<string>;
  /** The agent type in the repository's create template `entrypoint`. */
  readonly entrypoint: string | undefined;
  /** False if settings that can't be read here may define more. */
  readonly isComplete: boolean;
  /** Where a missing template can be defined. */
  readonly settingsFile: string;
  /** True if the repository's settings don't apply. */
  readonly ignoresRepoSettings: boolean;
}

export function typeDiagnostics(
  type: string,
  { types, isComplete, ignoresRepoSettings }: AgentKnowledge,
  place: KeyPathOf,
  what: string,
): Diagnostic[] {
  if (!types.has(type)) {
    const meant = didYouMean(type, types.names());
    const remedy =
      meant === undefined ? `known here: ${types.names().join(", ")}` : `did you mean agent_type = "${meant}"?`;
    const message = `mngr knows no agent type ${shown(type)}`;
    const report = isComplete ? error : warning;
    return [report(place("agent_type"), ignoresRepoSettings ? `${message} (${repoSettingsIgnored})` : message, remedy)];
  }
  const base = types.base(type);
  if (base?.startsWith("headless_") !== true) return [];
  const message = `${shown(type)} only runs in the foreground (mngr create --foreground), and ${what} has none`;
  return [error(place("agent_type"), message, `write agent_type = "${base.slice("headless_".length)}"`)];
}

export function noCommand(place: KeyPathOf): Diagnostic {
  const remedy = 'write agent_args, for instance agent_args = ["make", "report"]';
  return { ...error(place("agent_type"), "a command agent needs its command", remedy), reads: ["agent_args"] };
}
