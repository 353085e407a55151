import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/**
 * The version of a Python package whose command is on PATH, read from the files of its environment, because starting
 * such a command takes a second or two of CPU time.
 *
 * @param distribution the name in its `.dist-info` folder
 * @returns undefined if it can't be determined without starting the command
 */
export function packageVersion(command: string, distribution: string, path: string): string | undefined {
  const found = path.split(delimiter).find((folder) => folder !== "" && existsSync(join(folder, command)));
  if (found === undefined) return undefined;
  try {
    const [, python] = /^#!(\S+)\n/.exec(readFileSync(realpathSync(join(found, command)), "utf8")) ?? [];
    if (python === undefined || !existsSync(python)) return undefined;
    const lib = join(dirname(dirname(python)), "lib");
    const versions = readdirSync(lib)
      .filter((name) => /^python3\.\d+$/.test(name))
      .flatMap((name) => readdirSync(join(lib, name, "site-packages")))
      .flatMap((name) => (name.startsWith(`${distribution}-`) ? /-([^-]+)\.dist-info$/.exec(name)?.[1] : []) ?? []);
    return versions.length === 1 ? versions[0] : undefined;
  } catch {
    return undefined;
  }
}
