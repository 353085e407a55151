import { join } from "node:path";
import ts from "typescript";

/** Files that programs share: parsing those of the language and of packages is most of what compiling a small program costs. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/**
 * Compiles as `tsc` does.
 *
 * @param args of `tsc`, with the names of the files
 * @returns what `tsc` would print
 */
export function compile(folder: string, args: readonly string[]): string {
  const { options, fileNames, errors } = ts.parseCommandLine(args);
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile;
  host.getCurrentDirectory = () => folder;
  host.getSourceFile = (name, how, ...more) => {
    if (!name.includes("/node_modules/")) return read(name, how, ...more);
    // Whether such a file is a module depends on how packages are resolved.
    const key = `${typeof how === "object" ? how.impliedNodeFormat : ""} ${name}`;
    if (!parsed.has(key)) parsed.set(key, read(name, how, ...more));
    return parsed.get(key);
  };
  const program = ts.createProgram(
    fileNames.map((name) => join(folder, name)),
    options,
    host,
  );
  const diagnostics = [...errors, ...ts.getPreEmitDiagnostics(program)];
  return ts.formatDiagnostics(diagnostics, host);
}
