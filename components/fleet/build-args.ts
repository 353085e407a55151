import { isIP } from "node:net";
import { looksLikeSecret, secretInBuildArg, shown } from "../lib/literal-secrets.ts";
import { didYouMean } from "../lib/suggest.ts";
import { type Diagnostic, error, type KeyPathOf } from "./diagnostics.ts";
import type { Unfit } from "./kind.ts";
import type { SharedOptions } from "./options.ts";
import { secretNamePattern } from "./values.ts";

/** One build argument of an agent's machine. */
export interface BuildArg {
  readonly key: string;
  /** Empty for a switch. */
  readonly value: string;
  /** The index of its list element. */
  readonly index: number;
}

/** A problem with one element of the list. */
export interface BuildArgProblem {
  readonly index: number;
  readonly message: string;
  readonly remedy: string;
}

interface Accepted {
  /** A realistic value; undefined for a switch, which takes none. */
  readonly example?: string;
  /** What a value must be, and the test for it. */
  readonly must?: string;
  readonly test?: (value: string) => boolean;
}

const amount = { must: "must be a number above 0", test: (value: string) => /^\d+(\.\d+)?$/.test(value) && +value > 0 };

/** What mngr 0.3.0 accepts (`mngr create --help`). */
const accepted: Readonly<Record<string, Accepted>> = {
  cpu: { example: "2", ...amount },
  memory: { example: "4", ...amount },
  gpu: { example: "a10g" },
  region: { example: "us-east" },
  image: { example: "python:3.12" },
  file: { example: "Dockerfile" },
  "context-dir": { example: "." },
  timeout: { example: "3600", must: "must be a number of seconds", test: (value) => /^\d+$/.test(value) },
  offline: {},
  "cidr-allowlist": { example: "203.0.113.0/24", must: "must be a range of addresses", test: isRange },
  secret: {
    example: "NPM_TOKEN",
    must: "must be the name of a variable",
    test: (value) => secretNamePattern.test(value),
  },
  volume: {
    example: "cache:/cache",
    must: "must be the name of a volume, : and an absolute path",
    test: (value) => /^[^:\s]+:\/\S*$/.test(value),
  },
  "docker-build-arg": {
    example: "NODE_VERSION=24",
    must: "must be KEY=VALUE",
    test: (value) => /^[A-Za-z_]\w*=/.test(value),
  },
};

/** Providers that create a separate machine for each agent. */
export type MachineProvider = "docker" | "modal";

/** The build arguments that each provider supports. Docker's have Modal's names where both support them. */
const keysOf: Readonly<Record<MachineProvider, readonly string[]>> = {
  docker: ["cpu", "memory", "image", "file", "context-dir", "docker-build-arg"],
  modal: Object.keys(accepted),
};

/** Arguments that no changeling may use; the checks of each kind say why. */
const impossible: readonly string[] = ["timeout", "offline"];

/**
 * Parses build arguments like mngr's Modal provider, for every provider: each element is split into words as in a
 * shell, and `key=value`, `--key=value` and `--key value` are equivalent. It is stricter than mngr where mngr would
 * accept a typo: keys must not be abbreviated, and values must have the right form and not be empty.
 */
export function parseBuildArgs(
  elements: readonly string[],
  provider: MachineProvider = "modal",
): { args: BuildArg[]; problems: BuildArgProblem[] } {
  const args: BuildArg[] = [];
  const problems: BuildArgProblem[] = [];
  const words: { readonly written: string; readonly word: string; readonly index: number }[] = [];
  for (const [index, element] of elements.entries()) {
    const split = shellWords(element);
    if (split === undefined) {
      const message = `${shown(element)} ends within a quote, or with a backslash`;
      problems.push({ index, message, remedy: "quote it as in a shell" });
    }
    words.push(...(split ?? []).map((written) => ({ written, word: asOption(written), index })));
  }
  for (let at = 0; at < words.length; at++) {
    const { written = "", word = "", index = 0 } = words[at] ?? {};
    const [, key = "", own] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    const known = keysOf[provider].includes(key) ? accepted[key] : undefined;
    const isSwitch = known !== undefined && known.example === undefined;
    const following = words[at + 1]?.word;
    const takesNext =
      own === undefined && key !== "" && !isSwitch && following !== undefined && !following.startsWith("-");
    if (takesNext) at++;
    const value = takesNext ? following : own;
    const problem = known === undefined ? unknown(written, key, provider) : valueProblem(key, value, known);
    if (problem === undefined) args.push({ key, value: value ?? "", index });
    else problems.push({ index, ...problem });
  }
  return { args, problems };
}

/** mngr converts `key=value` and bare switches to options. */
function asOption(word: string): string {
  const isBare = word.includes("=") || word === "offline";
  return isBare && !word.startsWith("-") ? `--${word}` : word;
}

function unknown(word: string, key: string, provider: MachineProvider): Omit<BuildArgProblem, "index"> {
  // A key that only Modal supports is not a typo of a similar one.
  const meant = Object.hasOwn(accepted, key) ? undefined : didYouMean(key === "" ? word : key, keysOf[provider]);
  const usual = keysOf[provider].filter((each) => !impossible.includes(each));
  const remedy = meant === undefined ? `it accepts ${usual.join(", ")}` : `did you mean ${assigned(meant)}?`;
  return { message: `the provider "${provider}" knows no build argument ${shown(word)}`, remedy };
}

function valueProblem(
  key: string,
  value: string | undefined,
  { example, must, test }: Accepted,
): Omit<BuildArgProblem, "index"> | undefined {
  const remedy = `write ${assigned(key)}`;
  if (example === undefined) return value === undefined ? undefined : { message: `"${key}" takes no value`, remedy };
  if (value === undefined || value.trim() === "") return { message: `"${key}" has no value`, remedy };
  if (test === undefined || test(value)) return undefined;
  return { message: `${shown(value)}: "${key}" ${must}`, remedy };
}

function assigned(key: string): string {
  const example = accepted[key]?.example;
  return JSON.stringify(example === undefined ? key : `${key}=${example}`);
}

function isRange(range: string): boolean {
  const [, address = "", bits = ""] = /^(.+)\/(\d{1,3})$/.exec(range) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128);
}

/** A part of a word: plain, in single quotes, in double quotes, or a character after a backslash. */
const stretch = /([^ \t\r\n'"\\]+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/sy;

/**
 * Splits a text into words like Python's `shlex.split`, which mngr uses. Why own code: of 22 texts, string-argv 0.4.0
 * splits 7 differently, shellwords-ts 3.0.1 6 and shlex 3.0.0 3, because they follow other shells.
 *
 * @returns undefined if a quote isn't closed or the text ends with a backslash
 */
export function shellWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; ) {
    if (" \t\r\n".includes(text.charAt(at))) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at++;
      continue;
    }
    stretch.lastIndex = at;
    const found = stretch.exec(text);
    if (found === null) return undefined;
    const [, plain, single, double, escaped] = found;
    word = (word ?? "") + (plain ?? single ?? double?.replace(/\\(["\\])/g, "$1") ?? escaped ?? "");
    at = stretch.lastIndex;
  }
  return word === undefined ? words : [...words, word];
}

export const noBuild: Pick<Unfit, "message" | "remedy"> = {
  message: 'the provider "local" takes no build arguments: it builds no image or host',
  remedy: "remove the line, or write build_args = []",
};

/** Paths on an agent's machine that changelings or mngr use. */
const takenPaths = [
  ...["/changeling", "/changeling-data", "/changeling-repo", "/changelings-runs"],
  ...["/code", "/host_volume", "/mngr"],
];

/**
 * Checks how an agent's machine on Modal is built.
 * @param unfitForKind why changelings of the kind can't use an argument that mngr accepts
 */
export function buildArgDiagnostics(
  options: SharedOptions,
  place: KeyPathOf,
  unfitForKind: (key: string) => UnfitArg | undefined,
): Diagnostic[] {
  const { args, problems } = parseBuildArgs(options.build_args);
  const found = problems.map(({ index, message, remedy }) => error(place("build_args", index), message, remedy));
  for (const { key, value, index } of args) {
    const problem = literalSecret(value) ?? unfitForKind(key) ?? unfitAnywhere(options, key, value);
    if (problem !== undefined) found.push(error(place("build_args", index), problem.message, problem.remedy));
  }
  return found;
}

export interface UnfitArg {
  readonly message: string;
  readonly remedy: string;
}

function literalSecret(value: string): UnfitArg | undefined {
  if (!looksLikeSecret(value)) return undefined;
  return { message: secretInBuildArg, remedy: 'write secret=<NAME>, and "<NAME>" in secrets' };
}

/** Why no changeling can use an argument that mngr accepts, whatever its kind; undefined if some can. */
function unfitAnywhere({ secrets }: SharedOptions, key: string, value: string): UnfitArg | undefined {
  if (key === "secret" && !secrets.includes(value)) {
    return {
      message: `${value} is not one of the changeling's secrets, so the build can't use it`,
      remedy: `add "${value}" to secrets`,
    };
  }
  if (key !== "volume") return undefined;
  const path = value.slice(value.indexOf(":") + 1).replace(/\/+$/, "");
  const taken = takenPaths.find((own) => path === own || path.startsWith(`${own}/`) || path === "");
  if (taken === undefined) return undefined;
  return {
    message: `a volume can't be mounted at ${path === "" ? "/" : path}: that path is in use`,
    remedy: 'mount it elsewhere, for instance "volume=cache:/cache"',
  };
}
