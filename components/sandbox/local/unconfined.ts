import { join } from "node:path";
import { ownFolders } from "./paths.ts";

/**
 * Without isolation the root folder is this machine's, so the sandbox's paths are replaced by the real ones in the argv, the
 * environment and the working folder of a program, but not in its input and output.
 *
 * @param files the folder with `workspace`, `root` and `tmp`
 * @param image the folder with the image's `app`
 */
export function pathsWithoutIsolation(files: string, image: string): (text: string) => string {
  const real = new Map([["app", join(image, "app")], ...ownFolders.map((name) => [name, join(files, name)] as const)]);
  const names = [...real.keys()].join("|");
  // A whole path component, at the start of a path.
  const path = new RegExp(`(?<![\\w.~/-])/(${names})(?![\\w.-])`, "g");
  return (text) => (text === "/" ? files : text.replace(path, (_path, name: string) => real.get(name) ?? ""));
}
