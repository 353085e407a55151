import { join } from "node:path";
import { ownFolders } from "./paths.ts";

/**
 * Without isolation there is no other root, so the sandbox's paths are replaced by where its folders are: in the argv,
 * the environment and the working folder that a caller passes, but neither in what a program reads nor in what it prints.
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
