import { basename, isAbsolute, posix } from "node:path";
import { shown } from "../lib/literal-secrets.ts";

/** One element of `add_paths`. */
export interface AddPath {
  /** As it was written. */
  readonly from: string;
  /** Relative to the repo, below it, without a `/` at its end. */
  readonly to: string;
}

interface AddPathFault {
  readonly message: string;
  readonly remedy: string;
}

const form = 'write "SRC:DEST", for instance "~/notes/style.md:docs/style.md"';

/** Reads `SRC:DEST`. A DEST that ends with `/` names the folder that SRC is put in. */
export function parseAddPath(text: string): AddPath | AddPathFault {
  const colon = text.lastIndexOf(":");
  const [from, dest] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 1 || dest === "") return { message: `${shown(text)} is not SRC:DEST`, remedy: form };
  if (isAbsolute(dest) || dest.startsWith("~")) {
    return { message: `DEST is a path below the repo, and ${shown(dest)} is none`, remedy: form };
  }
  const isFolder = dest.endsWith("/") || dest === ".";
  const to = posix.normalize(isFolder ? `${dest}/${basename(from)}` : dest).replace(/\/+$/, "");
  const parts = to.split("/");
  if (to === "" || to === ".") return { message: `DEST ${shown(dest)} names no file or folder`, remedy: form };
  if (parts.includes("..")) return { message: `DEST ${shown(dest)} is outside of the repo`, remedy: form };
  if (parts.some((part) => part.toLowerCase() === ".git")) {
    return { message: `DEST ${shown(dest)} is git's own`, remedy: "choose another one" };
  }
  return { from, to };
}
