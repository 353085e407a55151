import { accessSync, constants, readFileSync, realpathSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { readableNamesIn } from "../host/files.ts";

/**
 * The version of mngr according to the files of its Python environment: starting mngr to ask it takes a second or two of
 * processor time.
 *
 * @returns undefined if they don't say it
 */
export function installedVersion({ PATH = "" }: Readonly<Record<string, string | undefined>>): string | undefined {
  for (const folder of PATH.split(delimiter).filter(isAbsolute)) {
    const text = programText(join(folder, "mngr"));
    if (text !== undefined) return versionIn(text);
  }
  return undefined;
}

function programText(path: string): string | undefined {
  try {
    // As for the system, a file that can't be executed is no program.
    accessSync(path, constants.X_OK);
    return readFileSync(realpathSync(path), "latin1");
  } catch {
    return undefined;
  }
}

/** In the first line of a Python program, or in the second, after `exec`: a long path, or one with spaces. */
const usedPython = /^#!(?:\/bin\/sh\n'''exec' (?:'([^'\n]+)'|"([^"\n]+)"|(\S+)) .*|(\S+))\n/;

/** @param text of the program, into which its installer writes the environment's Python */
function versionIn(text: string): string | undefined {
  const [, ...paths] = usedPython.exec(text) ?? [];
  const python = paths.find((path) => path !== undefined);
  if (python === undefined || !/\/bin\/python[\d.]*$/.test(python)) return undefined;
  const libraries = join(dirname(dirname(python)), "lib");
  const found = readableNamesIn(libraries)
    .filter((name) => /^python3\.\d+$/.test(name))
    .flatMap((name) => readableNamesIn(join(libraries, name, "site-packages")))
    .flatMap((name) => /^imbue_mngr-(.+)\.dist-info$/.exec(name)?.[1] ?? []);
  return found.length === 1 ? found[0] : undefined;
}
