import { join, relative } from "node:path";
import { type AgentKnowledge, noCommand, stockTypes, typeDiagnostics } from "../fleet/agents.ts";
import { unfitDiagnostics } from "../fleet/applies.ts";
import { branchDiagnostics } from "../fleet/checks.ts";
import { type Diagnostic, error, type KeyPathOf } from "../fleet/diagnostics.ts";
import { variableDiagnostics } from "../fleet/secrets.ts";
import { bytesOf, bytesOfList, sizeDiagnostics } from "../fleet/sizes.ts";
import { httpsRemote, isLoopback } from "../git/remote.ts";
import { shownRepo, urlProblem } from "../git/repo-name.ts";
import { shown } from "../lib/literal-secrets.ts";
import { parseAddPath } from "./added-paths.ts";
import type { DeclaredWeb } from "./declared.ts";
import { type Provider, type WebOptions, webApplies, webNoun, webTable } from "./options.ts";
import { providers } from "./providers.ts";
import { settingsToml } from "./settings.ts";

/** Diagnostics for one web changeling's options alone. */
export function webDiagnostics(options: WebOptions, place: KeyPathOf): Diagnostic[] {
  const found = branchDiagnostics(options, place);
  found.push(...unfitDiagnostics({ applies: webApplies, table: webTable, noun: webNoun }, options, place));
  found.push(...providers[options.provider].check(options, place));
  const source = options.source === undefined ? undefined : urlProblem(options.source);
  if (source !== undefined) found.push(error(place("source"), source.message, source.remedy));
  found.push(
    ...addPathDiagnostics(options, place),
    ...dataFormDiagnostics(options, place),
    ...remoteDiagnostics(options, place),
  );
  found.push(...variableDiagnostics(options, place), ...sizeDiagnostics(options, place, ownSizes(options)));
  return found;
}

/** Settings are passed in base64, in one argument together with a script. */
const mostSettingsBytes = 65_536;

function ownSizes({ add_paths: paths, settings }: WebOptions) {
  return {
    add_paths: { bytes: bytesOfList(paths) },
    settings: { bytes: settings === undefined ? 0 : bytesOf(settingsToml(settings)), most: mostSettingsBytes },
  };
}

function addPathDiagnostics({ add_paths: written, settings }: WebOptions, place: KeyPathOf): Diagnostic[] {
  const found: Diagnostic[] = [];
  const taken = new Set<string>();
  for (const [index, text] of written.entries()) {
    const path = place("add_paths", index);
    const parsed = parseAddPath(text);
    if ("message" in parsed) {
      found.push(error(path, parsed.message, parsed.remedy));
    } else if (taken.has(parsed.to)) {
      found.push(error(path, `${parsed.to} is also the DEST of another path`, "remove one of them"));
    } else if (settings !== undefined && parsed.to === ".changelings/settings.toml") {
      found.push(error(path, "settings is written to this file", "remove it, or remove settings"));
    } else {
      taken.add(parsed.to);
    }
  }
  return found;
}

const volumeName = {
  docker: /^[A-Za-z0-9][A-Za-z0-9._-]{1,63}$/,
  modal: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
};

function dataFormDiagnostics({ data, provider }: WebOptions, place: KeyPathOf): Diagnostic[] {
  if (data === undefined) return [];
  if (provider !== "local") {
    if (volumeName[provider].test(data)) return [];
    const length = provider === "docker" ? "2 to 64" : "up to 64";
    const message = `${shown(data)} is not the name of a volume: ${length} letters, digits, -, _ and .`;
    return [error(place("data"), message, 'write a name such as data = "elena"')];
  }
  if (/^(\/|~(\/|$))/.test(data)) return [];
  return [error(place("data"), `${shown(data)} is not an absolute path`, 'write one such as data = "~/elena"')];
}

function remoteDiagnostics({ remote, provider }: WebOptions, place: KeyPathOf): Diagnostic[] {
  if (remote === undefined) return [];
  const path = place("remote");
  const problem = urlProblem(remote);
  if (problem !== undefined) return [error(path, problem.message, problem.remedy)];
  if (provider !== "local") {
    if (httpsRemote(remote) !== undefined && !(provider === "docker" && isLoopback(remote))) return [];
    const who = provider === "docker" ? "an agent in a container" : "an agent on Modal";
    const message = `${who} can't push to ${shownRepo(remote)}, because it has no ssh key and not this machine's files`;
    return [error(path, message, 'write its https URL: remote = "https://…"')];
  }
  if (!/^(git|http):\/\//.test(remote) || isLoopback(remote)) return [];
  const message = `the connection to ${shownRepo(remote)} is not encrypted, so others could read and change the pushed commits`;
  return [error(path, message, 'write its https URL: remote = "https://…"')];
}

/**
 * Diagnostics for the locations of changelings' data. Each must be safe to delete as a whole, and belong to a single
 * changeling.
 * @param placeOf the position of a changeling's options in the file
 */
export function dataDiagnostics(
  changelings: readonly DeclaredWeb[],
  home: string,
  placeOf: (name: string) => KeyPathOf,
): Diagnostic[] {
  const found: Diagnostic[] = [];
  const before: DeclaredWeb[] = [];
  for (const changeling of changelings) {
    const { name, data, provider } = changeling;
    if (data === undefined) continue;
    const path = placeOf(name)("data");
    const isFolder = provider === "local";
    const shares = (of: string) => of === data || (isFolder && (holds(data, of) || holds(of, data)));
    const other = before.find((each) => each.provider === provider && each.data !== undefined && shares(each.data));
    if (isFolder && holds(data, join(home, ".changelings"))) {
      found.push(error(path, `${data} contains more than its data`, anotherLocation(provider)));
    } else if (other !== undefined) {
      found.push(error(path, `${data} already holds the data of ${other.name}`, anotherLocation(provider)));
    }
    before.push(changeling);
  }
  return found;
}

function anotherLocation(provider: Provider): string {
  return provider === "local"
    ? 'write a separate folder, such as data = "~/elena"'
    : 'write a separate volume, such as data = "elena"';
}

/** Whether the path is the folder, or below it. */
function holds(folder: string, path: string): boolean {
  const below = relative(folder, path);
  return below === "" || !/^\.\.(\/|$)/.test(below);
}

/**
 * Diagnostics for a web changeling's agent.
 * @param type undefined if the source decides
 */
export function webAgentDiagnostics(
  { type, options }: { readonly type: string | undefined; readonly options: WebOptions },
  knowledge: AgentKnowledge,
  place: KeyPathOf,
): Diagnostic[] {
  if (type === undefined) return [];
  const found: Diagnostic[] = [];
  const { source, agent_type: declared, agent_args: args } = options;
  if (!knowledge.types.has(type) && stockTypes().has(type)) {
    const message = `${shown(type)} is a stock changeling for schedules`;
    found.push(error(place("agent_type"), message, 'write kind = "cron", or another agent_type'));
  } else if (declared === undefined && !knowledge.types.has(type) && knowledge.isComplete) {
    const message = `neither source nor agent_type is set, and mngr knows no agent type ${shown(type)}`;
    const remedy = `write source = "<path or URL>" or agent_type = "chat"; known here: ${knowledge.types.names().join(", ")}`;
    found.push(error(place("agent_type"), message, remedy));
  } else {
    found.push(...typeDiagnostics(type, knowledge, place, "a persistent agent"));
  }
  // With a cloned repo, its create template may define the command.
  if (type === "command" && args.length === 0 && source === undefined) found.push(noCommand(place));
  return found;
}
