import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isRepoUrl } from "../git/repo-name.ts";
import { type MngrSettings, personSettingsFiles, readMngrSettings, repoSettingsFiles } from "../mngr/settings.ts";
import type { AgentKnowledge } from "./agent-checks.ts";
import type { CronProvider } from "./changeling.ts";

/** What is known of the agents of a fleet's changelings; each settings file is read once. */
export interface AgentFinder {
  /** @param repo absolute path or URL; undefined: of the person's settings alone */
  forCron(provider: CronProvider, repo: string | undefined): AgentKnowledge;
  /** @param source absolute path or URL; undefined: its repo is made from scratch */
  forWeb(source: string | undefined): AgentKnowledge;
}

export function agentFinder(
  profile: string | undefined,
  home: string,
  environment: Readonly<Record<string, string | undefined>>,
): AgentFinder {
  const known = new Map<string, AgentKnowledge>();
  const personal = personSettingsFiles({ home, profile, environment });
  const once = (key: readonly string[], find: () => AgentKnowledge): AgentKnowledge => {
    const found = known.get(key.join(" ")) ?? find();
    known.set(key.join(" "), found);
    return found;
  };
  const settingsOf = (repo: string | undefined) =>
    readMngrSettings([...personal, ...(repo === undefined ? [] : repoSettingsFiles(repo, environment))]);
  const ofRepo = { settingsFile: ".mngr/settings.toml", isOwnAlone: false };

  return {
    forCron(provider, repo) {
      // Where the schedule fires there is not a repository: the person's settings are all that counts.
      if (provider === "modal") {
        return once(["cron", "on modal"], () => {
          const settings = settingsOf(undefined);
          const settingsFile = personal[0] ?? "your mngr settings";
          const isComplete = personal.length > 0;
          return { ...settings, types: new AgentTypes(settings), isComplete, settingsFile, isOwnAlone: true };
        });
      }
      const here = repo === undefined || isRepoUrl(repo) ? undefined : repo;
      return once(["cron", here ?? "elsewhere"], () => {
        const settings = settingsOf(here);
        return { ...settings, types: new AgentTypes(settings), isComplete: here !== undefined, ...ofRepo };
      });
    },
    forWeb(source) {
      const isElsewhere = source !== undefined && isRepoUrl(source);
      return once(["web", source === undefined ? "from scratch" : isElsewhere ? "elsewhere" : source], () => {
        const settings = settingsOf(isElsewhere ? undefined : source);
        const types = new AgentTypes(settings, stockWebTypes());
        return { ...settings, types, isComplete: !isElsewhere, ...ofRepo };
      });
    },
  };
}

/** The agent types of mngr 0.3.0 and imbue-mngr-claude, with the one that each is built on. */
const shipped: Readonly<Record<string, string>> = {
  command: "command",
  headless_command: "headless_command",
  claude: "claude",
  headless_claude: "headless_claude",
  "fixme-fairy": "claude",
  "code-guardian": "claude",
};

/** The agent types that a changeling can name. */
export class AgentTypes {
  readonly #parents: ReadonlyMap<string, string | undefined>;

  /**
   * @param settings what the person's and the repository's mngr settings define beside the shipped and stock types
   * @param stock those of cron changelings, or of web ones
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

  /** The shipped type that it is built on; undefined when that is not known here. */
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

/** Settings that don't name a parent change a type, and don't make it another. */
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

/** @param folder holds one folder for each stock changeling; those that have such a file define a type */
export function readStockTypes(folder: string, file: "agent_type.toml" | "web.toml"): Parents {
  const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );
  return readMngrSettings(names.map((name) => join(folder, name, file))).parents;
}

/**
 * Whether agents of the type talk: they never end by themselves, they settle. Tells the shipped and the stock types;
 * for types of somebody's settings, see `DeclaredCron.isConversational`.
 */
export function isConversational(type: string): boolean {
  return new AgentTypes().base(type) === "claude";
}
