import { dirname, join } from "node:path";
import ts from "typescript";
import type { SourceDiagnostic, Sources } from "../../domain.ts";
import { assertTypes, globalTypes } from "./declarations.ts";
import { checkImports } from "./imports.ts";

export interface Analysis {
  readonly parse: readonly SourceDiagnostic[];
  readonly imports: readonly SourceDiagnostic[];
  /** undefined if parse or imports failed. */
  readonly types?: readonly SourceDiagnostic[];
  readonly milliseconds: { readonly parse: number; readonly imports: number; readonly types: number };
}

const options: ts.CompilerOptions = {
  ...{ strict: true, noEmit: true, skipLibCheck: true, isolatedModules: true, allowImportingTsExtensions: true },
  ...{ noFallthroughCasesInSwitch: true, noImplicitOverride: true, forceConsistentCasingInFileNames: true },
  target: ts.ScriptTarget.ES2024,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.es2024.d.ts"],
  types: [],
};

const root = "/agent/";
const libraryFolder = dirname(ts.getDefaultLibFilePath({}));
/** TypeScript reuses its work only if the declarations are the same objects in each program. */
const libraries = new Map<string, ts.SourceFile | undefined>();
let former: ts.Program | undefined;

/** Parses the sources, and checks their imports and types. Keeps reusable parts for the next call. */
export function analyze(sources: Sources, seedTypes: string): Analysis {
  const began = performance.now();
  const files = new Map(Object.entries(sources).map(([file, text]) => [file, parseFile(root + file, text)]));
  const parse = [...files].flatMap(([file, source]) => syntaxErrors(source, file));
  const parsed = performance.now();
  const imports = parse.length > 0 ? [] : [...files].flatMap(([file, source]) => checkImports(source, file, sources));
  const imported = performance.now();
  const types = parse.length + imports.length > 0 ? undefined : checkTypes(files, seedTypes);
  const milliseconds = { parse: parsed - began, imports: imported - parsed, types: performance.now() - imported };
  return { parse, imports, milliseconds, ...(types === undefined ? {} : { types }) };
}

/** Sets the nodes' parents, which the checks of imports and the compiler need. */
const parseFile = (path: string, text: string) =>
  ts.createSourceFile(path, text, { languageVersion: ts.ScriptTarget.ES2024 }, true, ts.ScriptKind.TS);

function syntaxErrors(source: ts.SourceFile, file: string): SourceDiagnostic[] {
  const { parseDiagnostics } = source as ts.SourceFile & { readonly parseDiagnostics?: readonly ts.Diagnostic[] };
  return (parseDiagnostics ?? []).map((diagnostic) => ({ ...diagnosticOf(diagnostic), file }));
}

function checkTypes(files: ReadonlyMap<string, ts.SourceFile>, seedTypes: string): SourceDiagnostic[] {
  const own = new Map([
    ...[...files].map(([file, source]) => [root + file, source] as const),
    ...[...declarations(seedTypes)],
  ]);
  // Unchanged files are reused, which makes the next program faster.
  for (const [path, source] of own) {
    const before = former?.getSourceFile(path);
    if (before?.text === source.text) own.set(path, before);
  }
  const program = ts.createProgram({
    rootNames: [...own.keys()],
    options,
    host: hostOf(own),
    ...(former === undefined ? {} : { oldProgram: former }),
  });
  former = program;
  return [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...program.getSemanticDiagnostics(),
  ].map(diagnosticOf);
}

function declarations(seedTypes: string): ReadonlyMap<string, ts.SourceFile> {
  const texts = { "/seed.d.ts": seedTypes, "/globals.d.ts": globalTypes, "/assert.d.ts": assertTypes };
  return new Map(Object.entries(texts).map(([path, text]) => [path, parseFile(path, text)]));
}

/** A compiler host that has only these files and TypeScript's own libraries, and does not read the disk. */
function hostOf(own: ReadonlyMap<string, ts.SourceFile>): ts.CompilerHost {
  const read = (path: string): ts.SourceFile | undefined => own.get(path) ?? library(path);
  return {
    getSourceFile: read,
    fileExists: (path) => read(path) !== undefined,
    readFile: (path) => read(path)?.text,
    directoryExists: () => true,
    realpath: (path) => path,
    getDirectories: () => [],
    getDefaultLibFileName: (wanted) => join(libraryFolder, ts.getDefaultLibFileName(wanted)),
    getDefaultLibLocation: () => libraryFolder,
    getCurrentDirectory: () => root,
    getCanonicalFileName: (path) => path,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => "\n",
    writeFile: () => {},
  };
}

function library(path: string): ts.SourceFile | undefined {
  if (dirname(path) !== libraryFolder || !/^lib\.[\w.]+\.d\.ts$/.test(path.slice(libraryFolder.length + 1)))
    return undefined;
  if (!libraries.has(path)) {
    const text = ts.sys.readFile(path);
    libraries.set(path, text === undefined ? undefined : parseFile(path, text));
  }
  return libraries.get(path);
}

function diagnosticOf({ file, start, messageText, code }: ts.Diagnostic): SourceDiagnostic {
  const message = `${ts.flattenDiagnosticMessageText(messageText, "\n")} (TS${code})`;
  if (file === undefined) return { message };
  const { line } = file.getLineAndCharacterOfPosition(start ?? 0);
  return { file: file.fileName.replace(root, ""), line: line + 1, message };
}
