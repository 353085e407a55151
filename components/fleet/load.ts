import { basename, dirname, join } from "node:path";
import { isTracked } from "../git/refs.ts";
import { indexOfLiteralSecret, withoutSecrets } from "../lib/literal-secrets.ts";
import { quoted } from "../lib/shell-command.ts";
import { resolvedForwarding } from "../web/forwarding/declared.ts";
import type { Fleet } from "./changeling.ts";
import { declare } from "./declare.ts";
import { type Fault, type Finding, pathInWords, warning } from "./diagnostics.ts";
import { readSource, type Source } from "./read.ts";
import { settle } from "./surroundings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Everything beside the file that decides what it means. */
export interface LoadContext {
  /** The stack's `changelings:timezone`. */
  readonly timezone?: string;
  /** The stack's `changelings:repo`: a URL, or a path, relative to `folder`. */
  readonly repo?: string;
  /** The project's folder; by default the current one. */
  readonly folder?: string;
  /** Whether this is a CI machine, whose own time zone means nothing. */
  readonly ci: boolean;
  readonly home: string;
  readonly machineTimezone: string;
  /** Whether repositories named by URL are asked for their branches; takes the network. */
  readonly checkRemotes?: boolean;
  /** Where mngr's and git's own variables are read; by default this process's. */
  readonly environment?: Environment;
}

export interface LoadedFleet {
  /** Undefined when a fault is an error. */
  readonly fleet?: Fleet;
  readonly faults: readonly Fault[];
}

export interface LoadOptions {
  /** Absolute path. */
  readonly file: string;
  /** The text that an edit would give it: checked in place of what it has. */
  readonly edited?: string;
  readonly context: LoadContext;
}

/** Reads and checks a fleet file. Every fault is found at once, and nothing is changed. */
export async function loadFleet({ file, edited, context }: LoadOptions): Promise<LoadedFleet> {
  const read = await readSource(file, edited);
  if ("finding" in read) return { faults: await located(file, read.text, [read.finding]) };
  const { source } = read;
  const declared = declare(source.table);
  const [{ changelings, findings }, exposures] = await Promise.all([
    settle(file, declared, context),
    exposureFindings(file, source, context),
  ]);
  const further = findings.filter((found) => !declared.isOfStandIn(found));
  const faults = await located(file, source.text, distinct([...declared.findings, ...further, ...exposures]));
  if (faults.some(({ severity }) => severity === "error")) return { faults };
  const forwarding = resolvedForwarding(declared.forwarding);
  const { mngrProfile, maxRunsAtOnce } = declared;
  return { fleet: { file, mngrProfile, maxRunsAtOnce, changelings, forwarding }, faults };
}

/** What others could see of the file. */
async function exposureFindings(
  file: string,
  { text, mode }: Source,
  { home, environment = process.env }: LoadContext,
): Promise<Finding[]> {
  const found: Finding[] = [];
  const secret = indexOfLiteralSecret(text);
  if (secret !== -1 && (mode & 0o044) !== 0) {
    const message = "something here looks like a secret's value, and others on this machine can read the file";
    const lines = text.slice(0, secret).split("\n");
    const at = { line: lines.length, column: (lines.at(-1) ?? "").length + 1 };
    found.push({ ...warning([], message, `chmod 600 ${file}`), at });
  }
  const isAtDefaultPlace = file === join(home, ".changelings", "config.toml");
  if (isAtDefaultPlace && (await isTracked(dirname(file), basename(file), environment))) {
    const message = "git tracks the file, which is for one person on one machine";
    found.push(
      warning([], message, `git -C ${quoted(dirname(file))} rm --cached ${quoted(basename(file))}, and ignore it`),
    );
  }
  return found;
}

/** What is wrong with a default is found again with each changeling that has it: once, with their names. */
function distinct(findings: readonly Finding[]): Finding[] {
  const same = Map.groupBy(findings, ({ path, message, at }) => JSON.stringify([path, message, at]));
  return [...same.values()].flatMap((group) => {
    const last = group.at(-1);
    if (last === undefined) return [];
    // Found with the defaults themselves, it is wrong for all.
    if (group.some(({ changelings }) => changelings === undefined)) return [last];
    return [{ ...last, message: `${last.message} (${namesInWords(group)})` }];
  });
}

const mostNames = 3;

function namesInWords(group: readonly Finding[]): string {
  const names = [...new Set(group.flatMap(({ changelings }) => changelings ?? []))];
  const more = names.length - mostNames;
  return `for ${names.slice(0, mostNames).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Lines are looked up only when there is something to report: reading the syntax tree costs more than all checks. */
async function located(file: string, text: string, findings: readonly Finding[]): Promise<Fault[]> {
  if (findings.length === 0) return [];
  const { locator } = await import("./locate.ts");
  const locate = locator(text);
  return findings.map(({ at, path, message, remedy, severity }) => {
    const { line, column } = at ?? locate(path);
    const words = { path: withoutSecrets(pathInWords(path)), message: withoutSecrets(message) };
    return { file, line, column, ...words, remedy: withoutSecrets(remedy), severity };
  });
}
