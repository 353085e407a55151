import { type Diagnostic, error, type KeyPathOf } from "./diagnostics.ts";

/**
 * Declared values are passed to programs as arguments and environment variables, here and on agents' machines. Linux
 * rejects a string of 131,072 bytes or more; macOS rejects more than 1,048,576 bytes in total, including the rest of
 * the environment.
 */
export const mostBytes = 100_000;
/** The limit of one changeling's values in total. */
export const mostBytesInAll = 250_000;
interface Sized {
  readonly initial_message?: string | undefined;
  readonly agent_args: readonly string[];
  readonly build_args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const inFile = "commit it to the agent's repository as a file, and name the file here";
const remedies: Readonly<Record<string, string>> = { initial_message: inFile, agent_args: inFile, env: inFile };

/** An option that only one kind has. */
export interface OptionSize {
  readonly bytes: number;
  /** By default `mostBytes`. */
  readonly most?: number;
}

/**
 * Reports values that are too long, alone or in total.
 *
 * @param more options that only this kind has
 */
export function sizeDiagnostics(
  options: Sized,
  place: KeyPathOf,
  more: Readonly<Record<string, OptionSize>> = {},
): Diagnostic[] {
  const sizes = Object.entries({
    initial_message: bytesOf(options.initial_message ?? ""),
    agent_args: bytesOfList(options.agent_args),
    env: bytesOfList(options.env),
    build_args: bytesOfList(options.build_args),
    ...Object.fromEntries(Object.entries(more).map(([option, { bytes }]) => [option, bytes])),
  });
  const found = sizes.flatMap(([option, bytes]) => {
    const most = more[option]?.most ?? mostBytes;
    if (bytes <= most) return [];
    return error(
      place(option),
      `is ${inWords(bytes)} long; the limit is ${inWords(most)}`,
      remedies[option] ?? "shorten it",
    );
  });
  const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
  const [largest] = sizes.sort(([, one], [, other]) => other - one);
  if (found.length > 0 || total <= mostBytesInAll || largest === undefined) return found;
  const names = sizes.filter(([, bytes]) => bytes > 1000).map(([option]) => option);
  const message = `is ${inWords(total)} long together with ${names.slice(1).join(", ")}; the limit is ${inWords(mostBytesInAll)}`;
  return [error(place(largest[0]), message, remedies[largest[0]] ?? "shorten it")];
}

export function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}

/** Lists and tables are passed as JSON. */
export function bytesOfList(value: readonly string[] | Readonly<Record<string, string>>): number {
  return bytesOf(JSON.stringify(value));
}

function inWords(bytes: number): string {
  return `${bytes.toLocaleString("en-US")} bytes`;
}
